"""An explanation that ends with its answer: the explanation, and the answer.

Only the closing answer statement is taken off ("So the answer is yes."): of its sentence the reason
stays ("because ..."), and so does an answer that comes first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from harness.parsing.claims import INDEFINITE, SILENT, UNKNOWN, find_explicit, is_letter
from harness.parsing.labels import read_label
from harness.parsing.mentions import find_mentions
from harness.parsing.reading import Reading
from harness.parsing.replies import is_refusal, plain
from harness.parsing.statements import (
    MAX_SENTENCE,
    Forms,
    Statement,
    has_letters,
    is_said_as_answer,
    opening_label,
    read_statement,
)
from harness.words import split_words

MAX_LENGTH = 20_000
"""Characters that are read: no explanation of a few sentences is nearly as long."""
_RESTART = re.compile(
    r"(?<=\S)(?:\s*\n\W{0,4}|(?<=[.!?}\])])\s+)(?:(?i:new|next|follow-up)\s+)?"
    r"(?:(?i:question|human|user|instruction)(?:\s+#?\d{1,3})?|Q\d{0,3}):"
)
"""A model that goes on after its answer begins the next question."""
_PREFIX = re.compile(
    r"(?:(?:sure|certainly|of course|okay)[!,.]\s*)?(?:here(?:['’]s| is) [^\n:.]{0,60}:\s*)?"
    r"(?:question:[^\n]{0,500}\n\s*)?(?:(?:explanation|reasoning|rationale|reason)\s*:\s*)?",
    re.IGNORECASE,
)
_LATEX = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]{0,200})\}")
_IN_ANGLES = re.compile(r"<([^<>/]{1,100})>")
_SENTENCE = re.compile(r"(?=\S)[^\n]+?(?:[.!?][\"'”’)\]}*$]*(?=\s|$)|(?=\n|$))")
_REMARK = re.compile(
    r"\W*(?:i hope (?:this|that|it)\b|hope (?:this|that) helps|let me know|(?:please )?feel free"
    r"|(?:do you have|if you have) any (?:other|more|further)? ?questions?"
    r"|is there anything else)|[\W_]*\Z",
    re.IGNORECASE,
)
_ADJECTIVES = frozenset(
    {"unknown", "unclear", "not clear", "uncertain", "undetermined", "indeterminate", "n a"}
)


class Explained(NamedTuple):
    """An answer with its explanation.

    Attributes:
        explanation: without the closing answer statement; "" if nothing else was said.
        label: the answer.
    """

    explanation: str
    label: Reading[str]


def read_explained(answer: str, forms: Forms) -> Explained:
    """Read an explanation and the answer that closes it.

    The closing statement decides over all that the explanation mentions. Without one, an answer
    that comes first or is called the answer counts; prose that mentions a label gives none.

    Args:
        answer: what the model wrote.
        forms: label -> the ways to say it, in lower case.

    >>> read_explained("Bamboo is a grass. So the answer is no.", {"yes": ["yes"], "no": ["no"]})
    Explained(explanation='Bamboo is a grass.', label=Reading(value='no', reason=None))
    """
    text = _body(answer, forms)
    if not text:
        return Explained("", Reading.unreadable("empty"))
    spans = [found.span() for found in _SENTENCE.finditer(text)]
    sentences = [text[start:end] for start, end in spans]
    stated = [read_statement(sentence, place, forms) for place, sentence in enumerate(sentences)]
    first = _closing(sentences, stated)
    label = _agreed([statement for statement in stated[first:] if statement])
    if is_refusal(text) and (label is None or label.value in INDEFINITE):
        label = read_label(text, {name: said for name, said in forms.items() if name != SILENT})
        if label.value is None:
            return Explained("", Reading.unreadable("refusal"))
    label = label or _stated_before(sentences, stated[:first], forms)
    return Explained(_explanation(text, spans, stated, first), label)


def names_label(text: str, label: str, forms: Forms) -> bool:
    """Say whether an explanation names the answer.

    An option is named by its letter, used as a letter, or its text; yes and no by being said as an
    answer: "yes, ...", "the statement is true", not "it is true that ...".

    >>> names_label("Plants take in carbon dioxide.", "B", {"B": ["b", "carbon dioxide"]})
    True
    """
    text = text[:MAX_LENGTH]
    words = split_words(text)
    said = [m for m in find_mentions(text, words, forms) if m.label == label]
    if has_letters(forms):
        return any(not (is_letter(mention) and mention.negated) for mention in said)
    said = [mention for mention in said if not mention.negated]
    explicit = find_explicit(text, words, said)
    return any(m in explicit or is_said_as_answer(text, words, m) for m in said)


def _body(answer: str, forms: Forms) -> str:
    """Reduce an answer to what is said of the question that was asked."""
    known = {form for said in forms.values() for form in said}

    def keep_label(found: re.Match[str]) -> str:
        inside = found[1].strip()
        return inside if inside.casefold().rstrip(".!") in known else found[0]

    text = _LATEX.sub(r"\1", plain(answer)[:MAX_LENGTH])
    text = _IN_ANGLES.sub(keep_label, text)
    text = _PREFIX.sub("", text, count=1)
    return _RESTART.split(text, maxsplit=1)[0].strip()


def _closing(sentences: Sequence[str], stated: Sequence[Statement | None]) -> int:
    """Find the first of the statements that close an answer; kind remarks may follow them."""
    first = len(sentences)
    for place in range(len(sentences) - 1, -1, -1):
        if stated[place]:
            first = place
        elif not _REMARK.match(sentences[place]):
            break
    return first


def _agreed(statements: Sequence[Statement]) -> Reading[str] | None:
    """Give the label of statements that agree, or of a last one that corrects; None: no label."""
    called = [statement for statement in statements if statement.called]
    if called and len({s.label.value for s in statements if not s.called}) > 1:
        statements = called  # the options are listed once more
    readings = [statement.label for statement in statements]
    given = [reading.value for reading in readings if reading.value is not None]
    if any(reading.reason not in {None, "no label", "empty"} for reading in readings[-1:]):
        return readings[-1]
    if not given:
        return None
    if len(set(given)) > 1 and not statements[-1].corrects:
        return Reading.unreadable("several labels")
    return Reading.read(given[-1])


def _stated_before(
    sentences: Sequence[str], stated: Sequence[Statement | None], forms: Forms
) -> Reading[str]:
    """Read an answer that nothing closes: what it concludes, what it says first or calls so."""
    known = [statement for statement in stated if statement]
    concluded = _agreed([statement for statement in known if statement.concludes][-1:])
    if concluded:
        return concluded
    opening = opening_label(sentences[0], forms) if sentences else None
    first = [Statement("", "", True, False, False, Reading.read(opening))] if opening else []
    called = [s for place, s in enumerate(stated) if s and (s.called or place == 0)]
    label = _agreed([*first, *called])
    if label:
        return label
    undecided = any(
        _is_undecided(sentence, forms) for sentence in {*sentences[:1], *sentences[-1:]}
    )
    return Reading.read(UNKNOWN) if undecided else Reading.unreadable("no label")


def _is_undecided(sentence: str, forms: Forms) -> bool:
    """Say whether a sentence says that the answer cannot be told."""
    text = sentence[:MAX_SENTENCE]
    unable = any(
        mention.label == UNKNOWN and " ".join(mention.phrase) not in _ADJECTIVES
        for mention in find_mentions(text, split_words(text), forms)
    )
    return unable and read_label(text, forms).value == UNKNOWN


def _explanation(
    text: str,
    spans: Sequence[tuple[int, int]],
    stated: Sequence[Statement | None],
    first: int,
) -> str:
    """Leave out the statements that close the text, and every "So the answer is ..."."""
    parts, last = [], 0
    for place, (start, end) in enumerate(spans):
        statement = stated[place]
        if place >= first or (statement and statement.concludes):
            kept = statement.kept if statement else ""
            parts += [text[last:start] if kept else text[last:start].rstrip(" \t"), kept]
            last = end
    left = "".join([*parts, text[last:]]).strip()
    return left if re.search(r"[^\W_]", left) else ""
