"""Which label an answer gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from harness.parsing.mentions import Mention, find_mentions
from harness.parsing.reading import Reading
from harness.parsing.replies import drop_quotes, is_refusal, plain
from harness.words import Word, split_words

UNKNOWN = "unknown"
NEUTRAL = "neutral"
_MAX_LENGTH = 20_000

_SUBJECTS = frozenset(
    {
        "sentiment",
        "answer",
        "label",
        "classification",
        "verdict",
        "conclusion",
        "prediction",
        "category",
        "option",
        "choice",
        "overall",
        "therefore",
        "thus",
        "hence",
        "final",
        "hypothesis",
    }
)
_NEXT_TO = re.compile(r"[\W_]*(?:(?:the|an?)\b)?[\W_]*", re.IGNORECASE)
_LINE_ALONE = re.compile(r"[^\n]{1,60}\n")
_ATTRIBUTES = frozenset({"true", "false", "correct", "incorrect", "contradiction", "contradictory"})
_REASONS = frozenset({"because", "since", "as"})
_NOT_JOINED = re.compile(r"(?<!\w)(not)-", re.IGNORECASE)
_FIRST_WORD = re.compile(
    r"[\"'”’*\])]*(?:$|\s*[.,;!)\]\n—–(|]|\s+-|\s+(?:because|since|as|due|with|sentiment|review"
    r"|text|overall|though|although|whether)\b)"
)


def read_label(answer: str, forms: Mapping[str, Sequence[str]]) -> Reading[str]:
    """Read which label an answer gives, as a person would.

    In this order: a label that is the first word; the last one that the answer states; a label
    that heads a line; the only one mentioned. A negated label is not given; "cannot be
    determined" outweighs the labels in its sentence; an echoed list of options gives none.

    Args:
        answer: what the model wrote.
        forms: label -> the ways to say it, in lower case. The labels "unknown" and "neutral" are
            treated as such where they occur.

    >>> forms = {"positive": ("positive",), "negative": ("negative",)}
    >>> read_label("The sentiment is not positive but negative.", forms).value
    'negative'
    """
    text = _NOT_JOINED.sub(r"\1 ", drop_quotes(plain(answer[:_MAX_LENGTH])).replace("_", " "))
    if not text:
        return Reading.unreadable("empty")
    words = split_words(text)
    mentions = find_mentions(text, words, forms)
    given = _drop_attributes(words, [mention for mention in mentions if not mention.negated])
    given = _drop_reasons(words, given)
    if _contradicts_itself(words, given) or _letters_disagree(text, words, given):
        return Reading.unreadable("several labels")
    given = _drop_questions(text, words, _drop_undecided(words, given))
    if is_refusal(text):
        return _stated(words, given) or Reading.unreadable("refusal")
    return (
        (None if _echoes_options(given, forms) else _first_word(text, words, given))
        or _stated(words, given)
        or _neither(mentions, forms)
        or _only(mentions, given)
    )


def _drop_attributes(words: Sequence[Word], given: Sequence[Mention]) -> list[Mention]:
    """Drop "a correct answer": such words must come first, or be said of something."""

    def is_answer(mention: Mention) -> bool:
        if mention.phrase[0] not in _ATTRIBUTES or mention.first == 0:
            return True
        return mention.stated and words[mention.first - 1].key not in {"a", "an"}

    return list(filter(is_answer, given))


def _drop_reasons(words: Sequence[Word], given: Sequence[Mention]) -> list[Mention]:
    """Drop "not stated" from "no, as the answer is not stated": it is why, not what."""
    return [
        mention
        for mention in given
        if not (mention.label == UNKNOWN and any(_explains(words, mention, said) for said in given))
    ]


def _explains(words: Sequence[Word], reason: Mention, said: Mention) -> bool:
    same = said.sentence == reason.sentence and said.last < reason.first
    between = {word.key for word in words[said.last + 1 : reason.first]}
    return same and said.label != UNKNOWN and said.stated and bool(between & _REASONS)


def _contradicts_itself(words: Sequence[Word], given: Sequence[Mention]) -> bool:
    """Find "it is negative, and it cannot be determined"; a "but" between takes the first back."""
    for undecided in given:
        if not _is_undecided(words, undecided):
            continue
        for label in given:
            between = {word.key for word in words[label.last + 1 : undecided.first]}
            before = label.sentence == undecided.sentence and label.first < undecided.first
            if label.phrase == ("no",) and label.label != UNKNOWN:
                continue  # "no, the passage does not tell"
            if before and label.stated and not label.listed and label.label != UNKNOWN:
                return not between & {"but", "however", "though", "although", "yet"}
    return False


def _letters_disagree(text: str, words: Sequence[Word], given: Sequence[Mention]) -> bool:
    """Find option letters at odds with their text, with each other, or with the answer stated."""
    lettered = [m for m in given if _is_marked_letter(text, words, m)]
    for letter, following in pairwise(given):
        gap = text[words[letter.last].end : words[following.first].start]
        if letter in lettered and letter.label != following.label and _NEXT_TO.fullmatch(gap[:60]):
            return True
    stated = [mention.label for mention in given if mention.stated and not mention.listed]
    if not stated:
        return len({mention.label for mention in lettered}) > 1
    alone = bool(lettered) and lettered[0].first == 0 and _LINE_ALONE.match(text)
    return bool(alone) and lettered[0].label != stated[-1]


def _is_marked_letter(text: str, words: Sequence[Word], mention: Mention) -> bool:
    after = text[words[mention.last].end :][:1]
    return len("".join(mention.phrase)) == 1 and after in {")", ":", "."}


def _drop_undecided(words: Sequence[Word], given: Sequence[Mention]) -> list[Mention]:
    """Keep only "cannot be determined" where a sentence says it, and count it as stated."""
    undecided = {mention.sentence for mention in given if _is_undecided(words, mention)}
    return [
        mention._replace(stated=True, listed=False) if mention.sentence in undecided else mention
        for mention in given
        if mention.sentence not in undecided or _is_undecided(words, mention)
    ]


def _is_undecided(words: Sequence[Word], mention: Mention) -> bool:
    if mention.label != UNKNOWN or (mention.listed and mention.first > 0):
        return False
    following = words[mention.last + 1].key if mention.last + 1 < len(words) else ""
    return mention.phrase != (UNKNOWN,) or following in {"whether", "if", "what"}


def _drop_questions(text: str, words: Sequence[Word], given: Sequence[Mention]) -> list[Mention]:
    asked = {
        mention.sentence
        for mention in given
        if re.match(r"[^.!?\n]{0,300}\?", text[words[mention.last].end :][:302])
    }
    return [mention for mention in given if mention.sentence not in asked] or list(given)


def _echoes_options(given: Sequence[Mention], forms: Mapping[str, Sequence[str]]) -> bool:
    """Say whether the answer repeats every option letter: "A) office B) garden"."""
    lettered = {label for label, said in forms.items() if any(len(form) == 1 for form in said)}
    repeated = {mention.label for mention in given if len("".join(mention.phrase)) == 1}
    return len(lettered) > 1 and lettered <= repeated


def _first_word(text: str, words: Sequence[Word], given: Sequence[Mention]) -> Reading[str] | None:
    if not given or given[0].first != 0 or given[0].listed or _is_particle(words, given):
        return None
    rest = text[words[given[0].last].end :][:40]
    letter = len(given[0].phrase[0]) == 1 and rest[:1] in {")", ":"}
    return Reading.read(given[0].label) if letter or _FIRST_WORD.match(rest) else None


def _is_particle(words: Sequence[Word], given: Sequence[Mention]) -> bool:
    """Find "yes, the answer is no": the first word only agrees to speak."""
    others = [m for m in given[1:] if m.stated and m.sentence == given[0].sentence]
    about = _subject_sentences(words, others)
    return given[0].phrase in {("yes",), ("no",)} and any(
        m.label not in {given[0].label, UNKNOWN} and m.sentence in about for m in others
    )


def _stated(words: Sequence[Word], given: Sequence[Mention]) -> Reading[str] | None:
    """Take the last label stated of the answer itself, else the last one stated at all."""
    stated = [mention for mention in given if mention.stated and not mention.listed]
    if not stated:
        return None
    sentences = _subject_sentences(words, stated)
    about = [mention for mention in stated if mention.sentence in sentences]
    return Reading.read((about or stated)[-1].label)


def _subject_sentences(words: Sequence[Word], stated: Sequence[Mention]) -> set[int]:
    """Find the sentences that name the sentiment, the answer, ... shortly before the label."""
    return {
        mention.sentence
        for mention in stated
        if any(w.key in _SUBJECTS for w in words[max(0, mention.first - 12) : mention.first])
    }


def _neither(
    mentions: Sequence[Mention], forms: Mapping[str, Sequence[str]]
) -> Reading[str] | None:
    """Read "neither positive nor negative" as neutral where that is a label."""
    denied = {mention.label for mention in mentions if mention.negated}
    definite = set(forms) - {NEUTRAL, UNKNOWN}
    given = any(mention.label in forms and not mention.negated for mention in mentions)
    if NEUTRAL in forms and len(definite) > 1 and definite <= denied and not given:
        return Reading.read(NEUTRAL)
    return None


def _only(mentions: Sequence[Mention], given: Sequence[Mention]) -> Reading[str]:
    labels = {mention.label for mention in given}
    if len(labels) > 1:
        return Reading.unreadable("several labels")
    if labels:
        return Reading.read(labels.pop())
    return Reading.unreadable("negated label" if mentions else "no label")
