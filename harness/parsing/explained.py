"""An explanation that ends with its answer: the explanation, and the answer.

Only the closing answer statement is taken off ("So the answer is yes."), with its repetitions: of
its sentence the reason stays ("because ..."), and so do an answer that comes first, listed options,
and sentences that only agree with it ("The statement is true.").
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import NamedTuple

from harness.parsing.claims import INDEFINITE, SILENT, UNKNOWN, find_explicit, is_letter
from harness.parsing.labels import read_label
from harness.parsing.mentions import Mention, find_mentions
from harness.parsing.reading import Reading
from harness.parsing.replies import is_refusal, plain
from harness.parsing.statements import (
    MAX_SENTENCE,
    Forms,
    Statement,
    has_letters,
    is_aside,
    is_said_as_answer,
    opening_label,
    read_statement,
)
from harness.parsing.turns import own_turn
from harness.words import Word, split_words

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
_SENTENCE = re.compile(
    r"(?=\S)[^\n]+?(?:[.!?](?![\"'”’]+[ \t]+[a-z])(?![ \t]+(?:is|would be|must be)\b)"
    r"[\"'”’)\]}*$]*(?=\s|$)|(?=\n|$))"
)
_OPTION_LINE = re.compile(
    r"^[^\w\n]{0,6}(?:(?:option|choice) )?[(\[\"]{0,2}([A-Za-z])[)\].:\"]{0,3}"
    r"(?:(?<=[)\].:])|[ \t]+[-–—])(?=\s|$)[^\n]*",
    re.IGNORECASE | re.MULTILINE,
)
_GOES_ON = re.compile(
    r"\s*(?:\n|(?<=[.!?])[ \t])[^\w\n]{0,4}(?:(?:new|next|follow-up|another) )?"
    r"(?:question|explanation|reason(?:ing)?|q|human|user)[ \t]*\d{0,3}[ \t]*:",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"\W*(?:(?:so |therefore,? )?(?:the )?(?:correct )?answer(?: is)?\W+"
    r"|(?:it(?: is|'s)|i(?: would)? say) )?(?:none(?: of (?:the (?:above|options|choices"
    r"|given|listed|provided|answers|others?)"
    r"|these|those|them))?(?: (?:options|choices|answers))?|neither(?: of (?:these|them))?)\b",
    re.IGNORECASE,
)
_OR = re.compile(r"\W*(?:/|(?:or|and)\b)", re.IGNORECASE)
_PROBABLY_NOT = re.compile(
    r"\W*(?:(?:(?:most |very |quite )?(?:probably|likely|certainly|definitely|surely|obviously)"
    r"|almost certainly|of course|absolutely|i (?:think|guess|believe|suppose)"
    r"|it is)[\s,]+){1,2}not\W*\Z"
    r"|\W*(?:(?:very |highly |most )?(?:unlikely|improbable)|not (?:really|likely|at all))\W*\Z",
    re.IGNORECASE,
)
_REMARK = re.compile(
    r"\W*(?:i hope (?:this|that|it)\b|hope (?:this|that) helps|let me know|(?:please )?feel free"
    r"|(?:do you have|if you have) any (?:other|more|further)? ?questions?"
    r"|is there anything else)|[\W_]*\Z",
    re.IGNORECASE,
)
_ADJECTIVES = frozenset(
    {"unknown", "unclear", "not clear", "uncertain", "undetermined", "indeterminate", "n a"}
)


class _Closing(NamedTuple):
    """The statements that close an answer: where they stand, and what they give."""

    places: frozenset[int]
    label: Reading[str] | None


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
    that comes first or is called the answer counts; prose that mentions a label gives none. What
    follows the end of the model's turn is not read.

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
    listed = _listed(text, spans, stated) if has_letters(forms) else frozenset()
    closing = _closing(sentences, stated, listed)
    label = closing.label
    if is_refusal(text) and (label is None or label.value in INDEFINITE):
        label = read_label(text, {name: said for name, said in forms.items() if name != SILENT})
        if label.value is None:
            return Explained("", Reading.unreadable("refusal"))
    label = label or _stated_before(sentences, stated, listed, forms)
    looped = {
        place
        for place, statement in enumerate(stated)
        if statement and statement.concludes and statement.label.value == label.value
    }
    return Explained(_explanation(text, spans, stated, closing.places | looped), label)


def read_predicted(answer: str, forms: Forms) -> Reading[str]:
    """Read the one word that a simulator was asked for, and not what it goes on with.

    As `read_label`; but "Y" and "N" are yes and no, "probably not" is no, none of the options is
    unknown, an answer that begins with unknown stays so, and "Yes. No." is unreadable.

    >>> read_predicted("no\\nNew question: Is it red?", {"yes": ["yes"], "no": ["no"]}).value
    'no'
    """
    text = plain(_GOES_ON.split(own_turn(answer).strip()[:MAX_LENGTH], maxsplit=1)[0])
    short = {"y": "yes", "n": "no"}.get(text.casefold().strip(" .!\"'()*"), "")
    if short in forms:
        return Reading.read(short)
    if "no" in forms and _PROBABLY_NOT.match(text):
        return Reading.read("no")
    words = split_words(text)
    said = [m for m in find_mentions(text, words, forms) if not m.negated]
    if UNKNOWN in forms and _begins_unknown(text, words, said, forms):
        return Reading.read(UNKNOWN)
    covered = sum(m.last + 1 - m.first for m in said)
    joints = sum(word.key in {"or", "and"} for word in words)
    if len({m.label for m in said}) > 1 and covered + joints >= len(words):
        return Reading.unreadable("several labels")
    return read_label(text, forms)


def _begins_unknown(
    text: str, words: Sequence[Word], said: Sequence[Mention], forms: Forms
) -> bool:
    """Say whether an answer begins with "unknown", or says that none of the options is right."""
    if said and said[0].first == 0 and not _OR.match(text, words[said[0].last].end):
        return said[0].label in {UNKNOWN, SILENT}
    none = _NONE.match(text) if has_letters(forms) else None
    return none is not None and all(words[m.first].start >= none.end() for m in said)


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

    text = _LATEX.sub(r"\1", plain(own_turn(answer))[:MAX_LENGTH])
    text = _IN_ANGLES.sub(keep_label, text)
    text = _PREFIX.sub("", text, count=1)
    return _RESTART.split(text, maxsplit=1)[0].strip()


def _listed(
    text: str, spans: Sequence[tuple[int, int]], stated: Sequence[Statement | None]
) -> frozenset[int]:
    """Find the sentences of options that are gone through on lines of their own, from A on."""
    lines: list[re.Match[str]] = []
    run: list[re.Match[str]] = []
    for line in _OPTION_LINE.finditer(text):
        follows = run and ord(line[1].upper()) == ord(run[-1][1].upper()) + 1
        run = [*run, line] if follows else [line]
        lines += run if len(run) == 2 else run[-1:] if len(run) > 2 else []
    starts = [line.start() for line in lines]
    inside = [
        place
        for place, (start, _) in enumerate(spans)
        if (at := bisect_right(starts, start)) and start < lines[at - 1].end()
    ]
    return frozenset(p for p in inside if not ((one := stated[p]) and one.concludes))


def _closing(
    sentences: Sequence[str], stated: Sequence[Statement | None], listed: Collection[int]
) -> _Closing:
    """Find the statement that closes an answer, and its repetitions directly before it.

    Kind remarks, notes and the options once more may follow it. A bare statement of another label
    before it belongs to it too: then it gives none.
    """
    run, beside = _last_statements(sentences, stated, listed)
    found = [(place, one) for place in run if (one := stated[place])]
    if not found:
        return _Closing(frozenset(), None)
    decisive = [place for place, one in found if one.decides]
    after = {one.label.value for place, one in found if place > max(decisive, default=-1)}
    if len(after - {None}) > 1:
        if not decisive:
            return _Closing(frozenset(), Reading.unreadable("several labels"))
        found = [(place, one) for place, one in found if place <= decisive[-1]]
    taken = found[-1:]
    for place, one in reversed(found[:-1]):
        last = taken[0][1]
        agrees = one.label.value == last.label.value or None in {one.label.value, last.label.value}
        repeats = one.names_answer and (agrees or not one.kept)
        if not repeats and one.said != last.said:
            break
        taken = [(place, one), *taken]
    return _Closing(
        frozenset(place for place, _ in taken) | beside, _agreed([one for _, one in taken])
    )


def _last_statements(
    sentences: Sequence[str], stated: Sequence[Statement | None], listed: Collection[int]
) -> tuple[list[int], frozenset[int]]:
    """Find the statements that an answer ends with, and what else there has nothing to say."""
    run: list[int] = []
    beside: set[int] = set()
    for place in range(len(sentences) - 1, -1, -1):
        statement = stated[place]
        is_note = is_aside(sentences[place]) and not run
        if statement and place not in listed and not statement.aside:
            run.insert(0, place)
        elif _REMARK.match(sentences[place]) or (statement and is_note):
            beside.add(place)
        elif not is_note and (run or place not in listed):
            break
    return run, frozenset(beside if run else ())


def _agreed(statements: Sequence[Statement]) -> Reading[str] | None:
    """Give the label of statements that agree, or of a last one that corrects; None: no label."""
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
    sentences: Sequence[str],
    stated: Sequence[Statement | None],
    listed: Collection[int],
    forms: Forms,
) -> Reading[str]:
    """Read an answer that nothing closes: what it concludes, what it says first or calls so."""
    known = [statement for statement in stated if statement and not statement.aside]
    concluded = _agreed([statement for statement in known if statement.concludes][-1:])
    if concluded:
        return concluded
    free = {0} - {*listed}
    opening = opening_label(sentences[0], forms) if sentences and free else None
    first = [Statement("", "", Reading.read(opening), called=True)] if opening else []
    called = [s for place, s in enumerate(stated) if s and (s.called or place in free)]
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
    left_out: Collection[int],
) -> str:
    """Leave out the statements at some places; their reasons stay."""
    parts, last = [], 0
    for place in sorted(left_out):
        start, end = spans[place]
        statement = stated[place]
        kept = statement.kept if statement and not statement.aside else ""
        parts += [text[last:start] if kept else text[last:start].rstrip(" \t"), kept]
        last = end
    left = "".join([*parts, text[last:]]).strip()
    return left if re.search(r"[^\W_]", left) else ""
