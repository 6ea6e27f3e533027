"""EC-SFT's training set: answers to related questions, consistent with the explanation of one.

Source: Chen et al. 2024, arXiv:2401.13986. Differs: the words and examples of the prompts.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from finetune.formats import Completion
from finetune.split import normalised, split
from finetune.writing.prompt_files import Prompts, read_prompts
from finetune.writing.starter_mentions import mentions_starter
from harness.domains import Posed
from harness.parsing import names_label, read_explained, read_follow_ups
from harness.questions import Dialogue, Outcome, Question, Step

SLOTS: Mapping[str, tuple[str, ...]] = {
    "explain": ("question", "answers"),
    "follow_ups": ("asked", "explanation", "count", "options"),
    "answer": ("asked", "explanation", "label", "question", "answers"),
    "restate": ("question", "reply"),
    "train": ("question", "answers"),
}
"""Stage -> what its prompt may show. The teacher is asked all but `train`, which the rows ask."""

CUT_OFF = "cut off"
UNREADABLE = "unreadable answer"
UNKNOWN = "unknown answer"
NO_EXPLANATION = "no explanation"
COPIED = "copied from the prompt"
CONTRADICTS = "contradicts itself"
WRONG = "wrong answer"
NO_FOLLOW_UPS = "no follow-ups"
UNREADABLE_AGAIN = "unreadable restatement"
OTHER_LABEL = "restated with another answer"
MENTIONS = "mentions the starter question"
DUPLICATE = "duplicate"

SHORTEST_COPY = 4
"""Words of an explanation that is compared with those of the prompt."""
_ENDED = re.compile(r"[.!?…][\"'”’)\]]*\Z")


@dataclass(frozen=True)
class Starter:
    """A question, the explanation of its answer (without a closing statement), and the answer."""

    posed: Posed
    explanation: str
    label: str


class Written(msgspec.Struct, frozen=True):
    """A related question with its answer, as `consistent_answers` reads it."""

    question: str
    options: list[str]
    explanation: str
    label: str

    @property
    def posed(self) -> Posed:
        """The question."""
        return Posed(self.question, tuple(self.options))


class Completions(NamedTuple):
    """Training rows, and what could not be used: reason -> how many."""

    rows: list[Completion]
    dropped: Counter[str]


class _Told(NamedTuple):
    """An answer of the teacher; `fault`: why it cannot be used, or None."""

    explanation: str
    label: str
    fault: str | None


@dataclass
class _Case:
    """A starter, and what was dropped of what the teacher wrote to it."""

    starter: Starter
    prompts: Prompts
    dropped: Counter[str] = field(default_factory=Counter)

    def keeps(self, fault: str | None) -> bool:
        """Count a fault; say whether there was none."""
        self.dropped.update([fault] if fault else [])
        return fault is None


def consistency_prompts(kind: str) -> Prompts:
    """Read the prompts for a kind of questions ("yes_no", "options")."""
    return read_prompts(f"ec_sft_{kind}", SLOTS)


def read_starter(posed: Posed, explanation: str, label: str) -> Starter | None:
    """Make a starter of an explanation that may close with its answer; None: it explains nothing.

    Args:
        posed: the question.
        explanation: by a data set or a teacher.
        label: the right answer.
    """
    told = " ".join(read_explained(explanation, posed.forms).explanation.split())
    return Starter(posed, _ended(told), label) if told else None


def explain(posed: Posed, gold: str, prompts: Prompts) -> Dialogue:
    """Let the teacher explain the answer to a question; a wrong answer is dropped.

    It reads {"explanation": ..., "label": ...}, or {"dropped": reason}.
    """
    answer = yield _ask(prompts, "explain", question=posed.text, answers=posed.answers)
    told = _read(answer, posed, prompts, "explain")
    fault = told.fault or (WRONG if told.label != gold else None)
    read = {"explanation": told.explanation, "label": told.label}
    return Outcome({}, {"dropped": fault} if fault else read)


def consistent_answers(starter: Starter, prompts: Prompts, count: int) -> Dialogue:
    """Let the teacher follow up a question, and answer as its explanation has it.

    It writes `count` questions, answers each from the explanation or with unknown, and restates the
    answers so that they stand alone. It reads {"rows": [fields of `Written`], "dropped": {reason:
    number}}.
    """
    case = _Case(starter, prompts)
    follow_ups = yield from _write(case, count)
    answered = yield from _answer(case, follow_ups)
    rows = yield from _restate(case, answered)
    read = {"rows": msgspec.to_builtins(rows), "dropped": dict(case.dropped)}
    return Outcome({}, read)


def completions(
    starters: Mapping[str, Starter], reads: Mapping[str, Mapping[str, Any]], prompts: Prompts
) -> Completions:
    """Make rows: the starters, and the consistent answers to the questions that follow them up.

    Args:
        starters: hash of a document -> its question with its explanation.
        reads: hash -> what `consistent_answers` read of it.
        prompts: have the prompt of the rows.
    """
    rows, dropped = list[Completion](), Counter[str]()
    known = {normalised(one.posed.text) for one in starters.values()}
    for digest, starter in starters.items():
        rows.append(_row(starter, prompts, digest))
        read = reads[digest]
        dropped.update(read["dropped"])
        for one in msgspec.convert(read["rows"], list[Written]):
            key = normalised(one.posed.text)
            if key in known:
                dropped[DUPLICATE] += 1
            else:
                known.add(key)
                rows.append(_row(one, prompts, digest))
    return Completions(rows, dropped)


def by_question(rows: Iterable[Completion]) -> dict[str, list[Completion]]:
    """Group rows by the document that they were made from."""
    grouped: defaultdict[str, list[Completion]] = defaultdict(list)
    for row in rows:
        grouped[row.origin].append(row)
    return dict(grouped)


def _write(case: _Case, count: int) -> Step[list[Posed]]:
    """Let the teacher write follow-ups."""
    asked = case.starter.posed
    question = _ask(
        case.prompts, "follow_ups", times=count, asked=asked.text, count=str(count),
        explanation=case.starter.explanation, options=str(len(asked.options)),
    )  # fmt: skip
    answer = yield question
    written = read_follow_ups(
        str(answer), asked.text, count, with_options=bool(asked.options),
        cut_off=_is_cut_off(answer), prompt=question.text,
    )  # fmt: skip
    case.dropped.update(written.dropped)
    if not written.kept and not written.dropped:
        case.dropped[NO_FOLLOW_UPS] += 1
    return [Posed(*one) for one in written.kept]


def _answer(case: _Case, follow_ups: Sequence[Posed]) -> Step[list[Written]]:
    """Let it answer them from the starter's explanation; what that does not tell is left out."""
    if not follow_ups:
        return []
    starter = case.starter
    answers = yield [
        _ask(
            case.prompts, "answer", n, asked=starter.posed.text, explanation=starter.explanation,
            label=starter.label, question=posed.text, answers=posed.answers,
        )
        for n, posed in enumerate(follow_ups, 1)
    ]  # fmt: skip
    told = [
        (posed, _read(answer, posed, case.prompts, "answer"))
        for posed, answer in zip(follow_ups, answers, strict=True)
    ]
    return [_written(posed, one) for posed, one in told if case.keeps(one.fault)]


def _restate(case: _Case, answered: Sequence[Written]) -> Step[list[Written]]:
    """Let it restate the answers for somebody who sees nothing but their questions."""
    if not answered:
        return []
    answers = yield [
        _ask(case.prompts, "restate", n, question=one.posed.text, reply=_closed(one))
        for n, one in enumerate(answered, 1)
    ]
    rows = []
    for one, answer in zip(answered, answers, strict=True):
        told = _read(answer, one.posed, case.prompts, "restate")
        fault = UNREADABLE_AGAIN if told.fault in {UNREADABLE, UNKNOWN} else told.fault
        if fault is None and told.label != one.label:
            fault = OTHER_LABEL
        if fault is None and mentions_starter(told.explanation, case.starter.posed.question):
            fault = MENTIONS
        if case.keeps(fault):
            rows.append(_written(one.posed, told))
    return rows


def _read(answer: object, posed: Posed, prompts: Prompts, stage: str) -> _Told:
    """Read an explanation and its answer, which must be definite."""
    told = read_explained(str(answer), posed.forms)
    explanation, label = " ".join(told.explanation.split()), told.label.value or ""
    fault = (
        (CUT_OFF if _is_cut_off(answer) else None)
        or (None if label else UNREADABLE)
        or (None if label in posed.labels else UNKNOWN)
        or (None if explanation else NO_EXPLANATION)
        or (CONTRADICTS if _contradicts(explanation, label, posed) else None)
        or (COPIED if _is_copied(explanation, prompts, stage) else None)
    )
    return _Told(_ended(explanation), label, fault)


def _contradicts(explanation: str, label: str, posed: Posed) -> bool:
    """Find "No, pears float. So the answer is yes."; options that are not taken may be named."""
    named = {one for one in posed.labels if names_label(explanation, one, posed.forms)}
    return not posed.options and bool(named) and label not in named


def _is_copied(explanation: str, prompts: Prompts, stage: str) -> bool:
    """Say whether the prompt's own examples hold an explanation."""
    examples = prompts[stage].render(**dict.fromkeys(SLOTS[stage], ""))
    return len(split(explanation)) >= SHORTEST_COPY and (
        normalised(explanation) in normalised(examples)
    )


def _is_cut_off(answer: object) -> bool:
    return bool(getattr(answer, "cut_off", False))


def _written(posed: Posed, told: _Told) -> Written:
    return Written(posed.question, list(posed.options), told.explanation, told.label)


def _closed(told: Written | Starter) -> str:
    """Write an answer as it is learnt: the explanation, then the answer."""
    return f"{told.explanation} So the answer is {told.label}."


def _ended(text: str) -> str:
    """End a text with a full stop where nothing ends it."""
    return text if not text or _ENDED.search(text) else f"{text.rstrip(' ,;:-–—')}."


def _row(starter: Starter | Written, prompts: Prompts, origin: str) -> Completion:
    train, posed = prompts["train"], starter.posed
    text = train.render(question=posed.text, answers=posed.answers).strip()
    return Completion(text, train.cue, _closed(starter), origin)


def _ask(prompts: Prompts, stage: str, number: int = 0, times: int = 1, **slots: str) -> Question:
    told = prompts[stage]
    name = f"{stage} {number}" if number else stage
    text = told.render(**slots).strip()
    return Question(name, text, told.cue, told.until, told.max_tokens * times)
