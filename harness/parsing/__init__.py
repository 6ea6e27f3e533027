"""Readers of what models write in free text: a value, or None with a reason; never an exception."""

from harness.parsing.chosen import read_chosen
from harness.parsing.edits import read_edit
from harness.parsing.explained import Explained, names_label, read_explained, read_predicted
from harness.parsing.extracted import read_extracted
from harness.parsing.follow_ups import FollowUp, FollowUps, read_follow_ups
from harness.parsing.labels import read_label
from harness.parsing.no_answer import UNANSWERABLE
from harness.parsing.reading import Reading
from harness.parsing.redactions import read_redaction
from harness.parsing.replies import is_refusal
from harness.parsing.word_lists import read_word_list

__all__ = [
    "UNANSWERABLE",
    "Explained",
    "FollowUp",
    "FollowUps",
    "Reading",
    "is_refusal",
    "names_label",
    "read_chosen",
    "read_edit",
    "read_explained",
    "read_extracted",
    "read_follow_ups",
    "read_label",
    "read_predicted",
    "read_redaction",
    "read_word_list",
]
