"""Reads a correct and an incorrect answer out of what a model writes.

Labels tell them apart ("Correct answer:", "2) The wrong answer is", "False:"); the correct one may
stand first without a label, because a model without a chat template goes on after it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from finetune.split import normalised
from harness.parsing import Reading, is_refusal
from harness.parsing.replies import drop_introduction, drop_quotes, plain
from harness.parsing.turns import own_turn
from harness.words import split_words

MAX_LENGTH = 5_000
"""Characters of a reply that are read; the limit of tokens leaves room for far fewer."""
MOST_WORDS = 40
"""Of an answer; those that the prompts show have about ten."""

REFUSED = "refused"
NO_CORRECT = "no correct answer"
NO_INCORRECT = "no incorrect answer"
EQUAL = "equal"
CUT_OFF = "cut off"
COPIED = "copied from the prompt"
TOO_LONG = "too long"

_RIGHT = r"correct|right|true|accurate|truthful|factual"
_WRONG = r"incorrect|wrong|false|untrue|inaccurate|untruthful|misleading|in-correct|not correct"
_COUNT = r"(?:[ \t]*#?[ \t]*\d{1,2}|[ \t]*\([^()\n]{1,40}\))?[\"'”*_\])]*"
_LABEL = re.compile(
    r"(?<![\w-])(?:(?:the|an?|my|one)[ \t]+)?(?:(?:plausible|possible)[ \t]+(?:but[ \t]+)?)?"
    rf"(?:{_RIGHT}|(?P<w1>{_WRONG}))[ \t_]*"
    rf"(?:(?:answer|response)s?{_COUNT}"
    r"(?:\s*[:=|]|[ \t]+(?:is|would be|could be)\b:?|[ \t]*[-–—](?=[ \t])|[ \t]*(?=\n))"
    rf"|(?:statement|reply|option)s?{_COUNT}\s*:)"
    r"|(?<!\w)(?:answer|response)[ \t]*#?\d{0,2}[ \t]*"
    rf"[(\[](?:{_RIGHT}|(?P<w2>{_WRONG}))[)\]][ \t]*:"
    rf"|(?:(?:\A|(?<=\n))[^\w\n]*(?:\d{{1,2}}[.)][ \t]*)?|(?<=[.!?][ \t]))"
    rf"(?:{_RIGHT}|(?P<w3>{_WRONG})){_COUNT}[ \t]*:",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"(?:\A|\n)[^\w\n]*(?:(?:new|next|another|example)[ \t]+)?(?:question|q)[ \t]*#?\d{0,3}[ \t]*:",
    re.IGNORECASE,
)
_REMARK = re.compile(
    r"\s*[(\[](?:this|that|it|the|note|in-?correct|not|wrong|correct|right|true|false)\b"
    r"[^()\[\]]{0,300}[)\]]\W*\Z"
    r"|\s*\b(?:explanation|reason(?:ing)?|rationale|note|justification)[ \t]*:.*",
    re.IGNORECASE,
)
_EDGES = re.compile(r"\A(?:[\s\-–—•>#=|:,;*_)\]]|\d{1,2}[.)](?=\s)|that\s)+|[\s|*_#({}\[,;]+\Z")
_JOINT = re.compile(
    r"(?:(?:\s|\A)(?:and|but|while|whereas)|[,;\-–—•*(\[\"{]|(?:\s|\A)\(?[a-z\d]{1,2}[.)]|\s)+\Z",
    re.IGNORECASE,
)
"""What stands between an answer and the label that follows on its line."""
_LETTER = re.compile(r"\W*(?:(?:option|choice)[ \t]*)?\(?[A-H1-8]\)?\W*", re.IGNORECASE)
_NO_ANSWERS = frozenset(
    "none na noanswer answer youranswer correctanswer incorrectanswer insertanswer insertanswerhere"
    " thereisnone unknown".split()
)
_SHOWN = re.compile(r"^(?:(?:in)?correct )?answer:[ \t]*(\S.*)$", re.IGNORECASE | re.MULTILINE)
_SHOWN_QUESTION = re.compile(r"^question:[ \t]*(\S.*)$", re.IGNORECASE | re.MULTILINE)


class Pair(NamedTuple):
    """A correct and an incorrect answer, each on one line."""

    correct: str
    incorrect: str


class _Answer(NamedTuple):
    """An answer, and whether something follows it: then it was not cut off."""

    text: str = ""
    is_followed: bool = False


def read_pair(answer: str, question: str = "", prompt: str = "") -> Reading[Pair]:
    """Read the first correct and the first incorrect answer.

    A reply that reached its limit of tokens within the second one is cut off; where that is not
    known (`Answer.cut_off` is None) both count as whole: the limit leaves room for them.

    Args:
        answer: what the model wrote.
        question: what was asked.
        prompt: what the model was given; answers that it shows to other questions are copied.

    >>> read_pair("Gold.\\nIncorrect answer: Iron.").value
    Pair(correct='Gold.', incorrect='Iron.')
    """
    body = _body(answer)
    if is_refusal(body):
        return Reading.unreadable(REFUSED)
    correct, incorrect = _answers(body)
    reason = (
        _fault(correct, question, prompt, NO_CORRECT)
        or (CUT_OFF if _breaks_off(answer, incorrect) else None)
        or _fault(incorrect, question, prompt, NO_INCORRECT)
        or (EQUAL if normalised(correct.text) == normalised(incorrect.text) else None)
    )
    return Reading.unreadable(reason) if reason else Reading.read(Pair(correct[0], incorrect[0]))


def read_answer(answer: str, question: str = "", prompt: str = "") -> Reading[str]:
    """Read a correct answer: the first line of a reply; arguments as of `read_pair`.

    >>> read_answer("Correct answer: Gold.\\n\\nQuestion: Why?").value
    'Gold.'
    """
    body = _body(answer)
    if is_refusal(body):
        return Reading.unreadable(REFUSED)
    correct = _answers(body)[0]
    reason = _fault(correct, question, prompt, NO_CORRECT)
    if reason is None and _breaks_off(answer, correct):
        reason = CUT_OFF
    return Reading.unreadable(reason) if reason else Reading.read(correct.text)


def _body(answer: str) -> str:
    """Reduce a reply to what it says of the first question."""
    text = plain(own_turn(answer)[:MAX_LENGTH])
    echoed = _QUESTION.match(text)
    if echoed:
        text = text[echoed.end() :].partition("\n")[2]
    following = _QUESTION.search(text)
    return text[: following.start() + 1] if following else text


def _answers(body: str) -> tuple[_Answer, _Answer]:
    """Find the first correct and the first incorrect answer; those that are not there are empty."""
    labels = list(_LABEL.finditer(body))
    ends = [label.start() for label in labels[1:]] + [len(body)] * bool(labels)
    found: dict[bool, _Answer] = {}
    opens = len(body)
    for label, end in zip(labels, ends, strict=True):
        told = _answer(body, label.end(), end)
        if told.text:  # not "Correct answer: The correct answer is ..."
            opens = label.start() if not found else opens
            found.setdefault(any(label.group("w1", "w2", "w3")), told)
    opening = body[:opens]
    if next(iter(found), True):
        start = opening.rfind(drop_introduction(opening))
        head = _answer(body, max(0, start), opens)
        if head.text and not head.text.endswith(":"):
            found[False] = head
    return found.get(False, _Answer()), found.get(True, _Answer())


def _answer(body: str, start: int, end: int) -> _Answer:
    """Take the first line that says something between two places."""
    place = start
    for line in body[start:end].split("\n"):
        place += len(line)
        if split_words(line):
            inline = place == end and end < len(body)
            text = _JOINT.sub("", line) if inline else line
            return _Answer(_tidy(text), is_followed=place < len(body))
        place += 1
    return _Answer(is_followed=end < len(body))


def _tidy(line: str) -> str:
    for _ in range(2):
        line = drop_quotes(_EDGES.sub("", line.strip()))
        line = _REMARK.sub("", line).strip()
    return line[1:] if line[:1] == '"' and line.count('"') == 1 else line


def _fault(answer: _Answer, question: str, prompt: str, lacking: str) -> str | None:
    """Say why an answer cannot be used, or None."""
    key = normalised(answer.text)
    if key in _NO_ANSWERS or not split_words(answer.text) or _LETTER.fullmatch(answer.text):
        return lacking
    if key == normalised(question):
        return lacking
    if is_refusal(answer.text):
        return REFUSED
    if len(split_words(answer.text)) > MOST_WORDS:
        return TOO_LONG
    return COPIED if key in _shown(question, prompt) else None


def _breaks_off(answer: str, told: _Answer) -> bool:
    return bool(getattr(answer, "cut_off", False)) and not told.is_followed


def _shown(question: str, prompt: str) -> set[str]:
    """Give the answers that a prompt shows; those to the very question may be repeated."""
    own = normalised(question)
    asked = [(found.start(), normalised(found[1])) for found in _SHOWN_QUESTION.finditer(prompt)]
    spans = pairwise([*asked, (len(prompt), "")])
    return {
        normalised(found[1])
        for (start, key), (end, _) in spans
        if key != own
        for found in _SHOWN.finditer(prompt, start, end)
    }
