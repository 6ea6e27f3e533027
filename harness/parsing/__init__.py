"""Readers of what models write in free text: a value, or None with a reason; never an exception."""

from harness.parsing.edits import read_edit
from harness.parsing.explained import Explained, names_label, read_explained, read_predicted
from harness.parsing.follow_ups import FollowUp, FollowUps, read_follow_ups
from harness.parsing.labels import read_label
from harness.parsing.reading import Reading
from harness.parsing.redactions import read_redaction
from harness.parsing.replies import is_refusal
from harness.parsing.word_lists import read_word_list

__all__ = [
    "Explained",
    "FollowUp",
    "FollowUps",
    "Reading",
    "is_refusal",
    "names_label",
    "read_edit",
    "read_explained",
    "read_follow_ups",
    "read_label",
    "read_predicted",
    "read_redaction",
    "read_word_list",
]
