"""Which label an answer gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.parsing.claims import (
    INDEFINITE,
    NEUTRAL,
    UNKNOWN,
    are_headings,
    contradicts_itself,
    drop_afterthoughts,
    drop_attributes,
    drop_rejected,
    drop_undecided,
    find_explicit,
    is_letter,
    last_explicit,
    letters_disagree,
    settle_silence,
)
from harness.parsing.mentions import Mention, find_mentions
from harness.parsing.reading import Reading
from harness.parsing.replies import drop_quotes, is_refusal, plain
from harness.words import Word, split_words

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
_RESTART = re.compile(
    r"(?<=\S)\s*\n[ \t]*(?:text|passage|premise|paragraph|question|q)[ \t]*:", re.IGNORECASE
)
"""A model that goes on after its answer begins the next question."""
_NOT_JOINED = re.compile(r"(?<!\w)(not)-", re.IGNORECASE)
_FIRST_WORD = re.compile(
    r"[\"'”’*\])]*(?:$|\s*[.,;!)\]\n—–(|]|\s+-|\s+(?:because|since|as|due|with|sentiment|review"
    r"|text|overall|though|although|whether)\b)"
)


def read_label(answer: str, forms: Mapping[str, Sequence[str]]) -> Reading[str]:
    """Read which label an answer gives, as a person would.

    In this order: what is called the answer ("The answer is B"); a label that is the first word;
    the last one that the answer states; the only one mentioned. A negated label is not given;
    "cannot be determined" outweighs the labels in its sentence; that a text is silent counts only
    where no label is given; an echoed list of options gives none, nor does a letter beside another
    option's text.

    Args:
        answer: what the model wrote.
        forms: label -> the ways to say it, in lower case. The labels "unknown", "neutral" and
            "silent" (read as unknown) are treated as such where they occur.

    >>> forms = {"positive": ("positive",), "negative": ("negative",)}
    >>> read_label("The sentiment is not positive but negative.", forms).value
    'negative'
    """
    whole = drop_quotes(_RESTART.split(plain(answer[:_MAX_LENGTH]), maxsplit=1)[0])
    text = _NOT_JOINED.sub(r"\1 ", whole.replace("_", " "))
    if not text:
        return Reading.unreadable("empty")
    words = split_words(text)
    mentions = find_mentions(text, words, forms)
    given = drop_attributes(words, [mention for mention in mentions if not mention.negated])
    given = drop_rejected(text, words, given)
    explicit = find_explicit(text, words, given)
    given = settle_silence(text, words, given, explicit)
    firm = [m for m in explicit if m in given] or [m for m in given[:1] if m.first == 0]
    given = drop_afterthoughts(words, given, firm, _subject_sentences(words, given))
    if contradicts_itself(words, given):
        return Reading.unreadable("several labels")
    given = drop_undecided(words, given)
    explicit = [mention for mention in explicit if mention in given]
    chosen = [mention for mention in explicit if not mention.listed]
    if letters_disagree(text, words, given, chosen) or (explicit and not chosen):
        return Reading.unreadable("several labels")
    if chosen:
        label = last_explicit(words, chosen)
        return Reading.unreadable("several labels") if label is None else Reading.read(label)
    if are_headings(text, words, given):
        return Reading.unreadable("several labels")
    given = _drop_questions(text, words, given)
    if is_refusal(text):
        return _stated(words, given) or Reading.unreadable("refusal")
    return (
        (None if _echoes_options(given, forms) else _first_word(text, words, given))
        or _stated(words, given)
        or _neither(mentions, forms)
        or _only(mentions, given)
    )


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
    repeated = {mention.label for mention in given if is_letter(mention)}
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
    """Find the sentences that name the sentiment, the answer, ... before the label."""
    return {
        mention.sentence
        for mention in stated
        if any(w.key in _SUBJECTS for w in words[mention.opens : mention.first])
    }


def _neither(
    mentions: Sequence[Mention], forms: Mapping[str, Sequence[str]]
) -> Reading[str] | None:
    """Read "neither positive nor negative" as neutral where that is a label."""
    denied = {mention.label for mention in mentions if mention.negated}
    definite = set(forms) - INDEFINITE
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
