"""EC-SFT's training set: answers to related questions, consistent with the explanation of one.

Source: Chen et al. 2024, arXiv:2401.13986. Differs: the words and examples of the prompts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from finetune.formats import Completion
from finetune.split import normalised
from finetune.writing.prompt_files import Prompts, read_prompts
from finetune.writing.starter_mentions import mentions_starter
from finetune.writing.teacher_answers import (
    UNKNOWN,
    UNREADABLE,
    Answered,
    Reasoned,
    Told,
    ask,
    closed,
    ended,
    explain_right,
    is_cut_off,
    one_line,
    read_told,
)
from harness.domains import Posed
from harness.parsing import read_explained, read_follow_ups
from harness.questions import Dialogue, Outcome, Step

SLOTS: Mapping[str, tuple[str, ...]] = {
    "explain": ("question", "answers"),
    "follow_ups": ("asked", "explanation", "count", "options"),
    "answer": ("asked", "explanation", "label", "question", "answers"),
    "restate": ("question", "reply"),
    "train": ("question", "answers"),
}
"""Stage -> what its prompt may show. The teacher is asked all but `train`, which the rows ask."""

NO_FOLLOW_UPS = "no follow-ups"
UNREADABLE_AGAIN = "unreadable restatement"
OTHER_LABEL = "restated with another answer"
MENTIONS = "mentions the starter question"
DUPLICATE = "duplicate"


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


@dataclass
class _Case:
    """A starter, and what was dropped of what the teacher wrote to it."""

    starter: Reasoned
    prompts: Prompts
    dropped: Counter[str] = field(default_factory=Counter)

    def keeps(self, fault: str | None) -> bool:
        """Count a fault; say whether there was none."""
        self.dropped.update([fault] if fault else [])
        return fault is None


def consistency_prompts(kind: str) -> Prompts:
    """Read the prompts for a kind of questions ("yes_no", "options")."""
    return read_prompts(f"ec_sft_{kind}", SLOTS)


def read_starter(posed: Posed, explanation: str, label: str) -> Reasoned | None:
    """Make a starter of an explanation that may close with its answer; None: it explains nothing.

    Args:
        posed: the question.
        explanation: by a data set or a teacher.
        label: the right answer.
    """
    told = one_line(read_explained(explanation, posed.forms).explanation)
    return Reasoned(posed, ended(told), label) if told else None


def explain(known: Answered, prompts: Prompts) -> Dialogue:
    """Let the teacher explain the answer to a question; a wrong answer is dropped.

    It reads {"explanation": ..., "label": ...}, or {"dropped": reason}.
    """
    posed = known.posed
    question = ask(prompts, "explain", question=posed.text, answers=posed.answers)
    told = yield from explain_right(question, known, prompts, SLOTS)
    read = {"explanation": told.explanation, "label": told.label}
    return Outcome({}, {"dropped": told.fault} if told.fault else read)


def consistent_answers(starter: Reasoned, prompts: Prompts, count: int) -> Dialogue:
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
    starters: Mapping[str, Reasoned], reads: Mapping[str, Mapping[str, Any]], prompts: Prompts
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
    question = ask(
        case.prompts, "follow_ups", times=count, asked=asked.text, count=str(count),
        explanation=case.starter.explanation, options=str(len(asked.options)),
    )  # fmt: skip
    answer = yield question
    written = read_follow_ups(
        str(answer), asked.text, count, with_options=bool(asked.options),
        cut_off=is_cut_off(answer), prompt=question.text,
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
        ask(
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
    replies = [closed(one.explanation, one.label) for one in answered]
    answers = yield [
        ask(case.prompts, "restate", n, question=one.posed.text, reply=reply)
        for n, (one, reply) in enumerate(zip(answered, replies, strict=True), 1)
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


def _read(answer: object, posed: Posed, prompts: Prompts, stage: str) -> Told:
    return read_told(answer, posed, prompts, stage, SLOTS)


def _written(posed: Posed, told: Told) -> Written:
    return Written(posed.question, list(posed.options), told.explanation, told.label)


def _row(starter: Reasoned | Written, prompts: Prompts, origin: str) -> Completion:
    train, posed = prompts["train"], starter.posed
    text = train.render(question=posed.text, answers=posed.answers).strip()
    return Completion(text, train.cue, closed(starter.explanation, starter.label), origin)
