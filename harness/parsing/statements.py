"""Sentences that state the answer: "So the answer is yes.", "B) the garden", "So, no."."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.parsing.claims import INDEFINITE, is_letter, is_marked_letter
from harness.parsing.labels import read_label
from harness.parsing.mentions import Mention, find_mentions
from harness.parsing.reading import Reading
from harness.words import Word, split_words

Forms = Mapping[str, Sequence[str]]

MAX_SENTENCE = 1_000
"""Of a longer sentence only its end may state the answer."""

_FEW_WORDS = 3
"""An option's text may be given with so many words that it does not have: "B) water (H2O)"."""

_LEAD = re.compile(
    r"(?<!\w)(?:(?:the|my|our|your|its)\s+)?(?:(?:correct|right|final|best|most|likely|short"
    r"|overall|likeliest|only)\s+){0,3}answer(?:\s+(?:choice|option|letter))?"
    r"(?:\s+(?:here|(?:to|for|of|in)\s(?:[\w'’,\"“”?-]+\s){0,25}?[\w'’,\"“”?-]+))?\s{0,3}"
    r"(?:(?:is|would be|will be|must be|should be|has to be)(?!\w)|[:=]|[-=]>|→|\Z)[\s:]{0,4}"
    r"|\$?\s?\\boxed\{",
    re.IGNORECASE,
)
_RIGHT = re.compile(
    r"[\"'”’)\].:]*\s*(?:is|would be|must be|seems)\s+(?:\w+ly\s+)?(?:the\s+)?(?:(?:most|only|best"
    r"|correct|right|likely|likeliest|logical|suitable|appropriate)\s+){0,3}"
    r"(?:answer|option|choice|one|(?:correct|right)\s*[.!]*\Z)(?!\w)",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"(?<!\w)(?:because|since|due to|given that|as (?=(?:it|they|he|she|we|you|there|the|this|that"
    r"|these|those|an?|all|most|its|their)\b))",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"[\W_]*(?:(?:(?:final|last) )?(?:step|point|part)(?: (?:\d{1,2}|[a-z]))?|note|nb|summary"
    r"|in summary|\d{1,2})[\W_]*",
    re.IGNORECASE,
)
"""Before a statement, "Step 3:" and "(Note:" say nothing."""
_ASIDE = re.compile(r"\W*(?:please )?(?:note|nb|p\.?\s?s)\b[.:,\s]", re.IGNORECASE)
_NAMES_ANSWER = re.compile(r"(?<!\w)answer(?!\w)|\\boxed", re.IGNORECASE)
_AFTER_A_WORD = re.compile(r"[\"'”’)\]]*[ \t]*(?:[,.;:!—–\n]|-\s|$)")
# With these words alone, a sentence says nothing beside the answer.
_EMPTY_WORDS = frozenset(
    "so therefore thus hence then finally overall ultimately consequently accordingly conclusion"
    " conclude summary short final correct right best answer answers option choice letter boxed in"
    " on at to of for from by as a an the this that these it it's that's its is are be would must"
    " should will can could may i we you my our say think believe see know follows means meaning"
    " mean which shows show suggests indicates implies based given considering above provided"
    " information explanation explanations reasoning reasons reason facts fact evidence analysis"
    " context options choices question statement claim all result case and or but now here well"
    " indeed clearly definitely probably likely most choose chose"
    " pick select go with wait actually correction sorry".split()
)
_CONNECTORS = frozenset("so therefore thus hence finally final conclusion consequently".split())
_JOINTS = frozenset(
    "so and therefore thus hence which means meaning mean that then this shows but i we think"
    " believe say would".split()
)
_CORRECTIONS = frozenset("wait actually correction sorry rather instead mistake".split())


class Statement(NamedTuple):
    """A sentence that states the answer.

    Attributes:
        said: the words that state it.
        kept: what else the sentence says, such as a reason.
        label: what it gives.
        called: it calls the label the answer.
        concludes: it is a "So the answer is ..." after other sentences.
        corrects: it takes back what was said before.
        names_answer: it says "answer", or only the label: such a statement may stand twice.
        decides: it is called the answer, concludes, or says only the label.
        aside: it is a note.
    """

    said: str
    kept: str
    label: Reading[str]
    called: bool = False
    concludes: bool = False
    corrects: bool = False
    names_answer: bool = False
    decides: bool = False
    aside: bool = False


def read_statement(sentence: str, place: int, forms: Forms) -> Statement | None:
    """Read a sentence that states the answer; None if it does not."""
    sentence = sentence.strip()
    end = sentence[-MAX_SENTENCE:]
    words = split_words(end)
    mentions = find_mentions(end, words, forms)
    span, called = _called_at(end, words, mentions), True
    if span is None:
        span, called = _ended_at(end, words, mentions), False
    if span is None:
        span, called = _answered_at(end, words, mentions, place, forms), False
    if span is None:
        return None
    said = end[slice(*span)]
    before = sentence[: len(sentence) - len(end) + span[0]]
    empty = _is_empty(before, forms)
    reason = end[span[1] :].strip()
    keys = {word.key for word in split_words(f"{before} {said}"[:200])}
    label = _first_word_label(words, mentions, span, forms) if not called else None
    opens = {word.key for word in split_words(said[:50])[:2]}
    bare = not reason and _is_bare(said, forms)
    return Statement(
        said,
        ", ".join(part for part in ("" if empty else _drop_joint(before), reason) if part),
        Reading.read(label) if label else read_label(_with_capital(said, forms), forms),
        called=called,
        concludes=called and empty and place > 0 and bool(keys & _CONNECTORS),
        corrects=bool(keys & _CORRECTIONS),
        names_answer=bare or (called and bool(_NAMES_ANSWER.search(said))),
        decides=called or bare or bool(opens & _CONNECTORS),
        aside=is_aside(sentence),
    )


def _with_capital(said: str, forms: Forms) -> str:
    """Write the letter of "answer: b" large: small ones are read only where they stand alone."""
    small = re.search(r"[:=]\s*[a-z](?=[\s.]*\Z)", said) if has_letters(forms) else None
    return f"{said[: small.end() - 1]}{said[small.end() - 1 :].upper()}" if small else said


def _is_bare(said: str, forms: Forms) -> bool:
    """Say whether a statement is a label and no more: "Yes.", "So, no.", "(B)"."""
    words = split_words(said[:100])
    mentions = [m for m in find_mentions(said[:100], words, forms) if not m.negated]
    if len(mentions) != 1 or (has_letters(forms) and not is_letter(mentions[0])):
        return False
    others = [
        w.key for at, w in enumerate(words) if not mentions[0].first <= at <= mentions[0].last
    ]
    return set(others) <= _CONNECTORS


def _called_at(
    text: str, words: Sequence[Word], mentions: Sequence[Mention]
) -> tuple[int, int] | None:
    """Find "the answer is B", or "B is the correct answer", up to its reason."""
    lead = _LEAD.search(text)
    if lead:
        return lead.start(), _reason_at(text, words, mentions, lead.end())
    for mention in mentions:
        right = _RIGHT.match(text[words[mention.last].end :][:120])
        if right and not (mention.negated or mention.listed):
            end = words[mention.last].end + right.end()
            return words[mention.first].start, _reason_at(text, words, [], end)
    return None


def _ended_at(
    text: str, words: Sequence[Word], mentions: Sequence[Mention]
) -> tuple[int, int] | None:
    """Find the "so no" at the end of a sentence."""
    last = mentions[-1] if mentions and not mentions[-1].negated else None
    if last is None or last.first == 0 or words[last.first - 1].key not in _CONNECTORS:
        return None
    if re.search(r"\w", text[words[last.last].end :]):
        return None
    return words[last.first - 1].start, len(text)


def _answered_at(
    text: str, words: Sequence[Word], mentions: Sequence[Mention], place: int, forms: Forms
) -> tuple[int, int] | None:
    """Find a sentence that only gives a label: "So, yes.", "B) the garden", "It is true."."""
    given = [mention for mention in mentions if not mention.negated]
    if not given:
        return None
    end = _reason_at(text, words, mentions, 0)
    opens = {word.key for word in words[: given[0].first]}
    connected = bool(opens & _CONNECTORS)
    if end < len(text) and place == 0 and not connected:
        return None  # "Yes, because ...": the answer comes first
    left = _words_besides(text[:end], forms)
    after = text[words[given[0].last].end :][:20]
    if has_letters(forms):
        lettered = is_marked_letter(text, words, given[0]) and opens <= _EMPTY_WORDS
        return (0, end) if left == 0 or (lettered and left <= _FEW_WORDS) else None
    opened = opens <= _CONNECTORS and _AFTER_A_WORD.match(after)
    return (0, end) if left == 0 or (opened and (place > 0 or connected)) else None


def _first_word_label(
    words: Sequence[Word], mentions: Sequence[Mention], span: tuple[int, int], forms: Forms
) -> str | None:
    """Take the yes of "So yes, the bridge is not ..."; what follows is no answer."""
    given = [m for m in mentions if words[m.last].end <= span[1]]
    if has_letters(forms) or not given or given[0].negated or given[0].listed:
        return None
    opens = {word.key for word in words[: given[0].first]}
    return given[0].label if given[0].label not in INDEFINITE and opens <= _CONNECTORS else None


def _reason_at(text: str, words: Sequence[Word], mentions: Sequence[Mention], start: int) -> int:
    """Find where the reason begins that follows the first label after `start`."""
    last: Mention | None = None
    for mention in mentions:
        if words[mention.first].start < start:
            continue
        if last and re.search(r"\w", text[words[last.last].end : words[mention.first].start]):
            break
        last = mention
    reason = _REASON.search(text, words[last.last].end if last else start)
    return reason.start() if reason else len(text)


def is_aside(sentence: str) -> bool:
    """Say whether a sentence is a note: "(Note: ...", "Please note that ..."."""
    return bool(_ASIDE.match(sentence))


def opening_label(sentence: str, forms: Forms) -> str | None:
    """Read the label that an answer begins with: "Yes, ...", "B) ...", "Water, because ..."."""
    text = sentence.strip()[:MAX_SENTENCE]
    words = split_words(text)
    mentions = find_mentions(text, words, forms)
    if not mentions or mentions[0].first > 0 or mentions[0].listed:
        return None
    rest = text[words[mentions[0].last].end :][:40]
    reason = _REASON.match(rest.lstrip(" ,"))
    if has_letters(forms) and not is_letter(mentions[0]):
        return mentions[0].label if reason or rest[:1] in {":", ";"} else None
    return mentions[0].label if reason or _AFTER_A_WORD.match(rest) else None


def is_said_as_answer(text: str, words: Sequence[Word], mention: Mention) -> bool:
    """Say whether a yes or no is an answer: "Yes, ..." or "that is true.", not "true that"."""
    rest = text[words[mention.last].end :][:20]
    opened = {word.key for word in words[mention.opens : mention.first]}
    if opened <= _CONNECTORS and _AFTER_A_WORD.match(rest):
        return True
    return mention.stated and not mention.listed and bool(_AFTER_A_WORD.match(rest))


def has_letters(forms: Forms) -> bool:
    """Say whether the labels are options, which have letters."""
    return any(len(form) == 1 for said in forms.values() for form in said)


def _words_besides(text: str, forms: Forms) -> int:
    """Count the words that are neither a label nor say nothing beside one."""
    words = split_words(text)
    if not words:
        return 0
    covered = {
        place
        for mention in find_mentions(text, words, forms)
        for place in range(mention.first, mention.last + 1)
    }
    return sum(
        word.key not in _EMPTY_WORDS for place, word in enumerate(words) if place not in covered
    )


def _is_empty(text: str, forms: Forms) -> bool:
    """Say whether what precedes a statement is no more than a joint or a heading."""
    if _HEADING.fullmatch(text[:50]):
        return True
    heading, _, rest = text.partition(":")
    text = rest if _HEADING.fullmatch(heading[:50]) else text
    return len(text) < MAX_SENTENCE and _words_besides(text, forms) == 0


def _drop_joint(text: str) -> str:
    """Drop the ", so" or "which means that" at the end of what precedes a statement."""
    for _ in range(6):
        text = text.rstrip(" \t,;:—–-(")
        before, space, last = text.rpartition(" ")
        if not space or last.lower() not in _JOINTS:
            break
        text = before
    return text.strip()
