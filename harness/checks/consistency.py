"""Can a reader of the model's explanation predict its answers to other questions?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.checks.inquiry import FollowUp, Inquiry
from harness.checks.predictions import Prediction, Simulation, agreement
from harness.domains import Posed
from harness.parsing import names_label, read_explained, read_follow_ups
from harness.questions import Answer, Dialogue, Outcome, Step


class Told(NamedTuple):
    """A question, and the model's explanation of its answer."""

    question: Posed
    explanation: str


def consistency(case: Inquiry) -> Dialogue:
    """Ask for an explanation with its answer; can its reader predict the answers to follow-ups?

    The simulator writes follow-ups and answers them from the explanation alone; the model answers
    those that it could. Controls: the simulator's guess from another question's explanation
    (`shuffled`) and from none (`blind`); unlike the prediction, a guess must be definite.
    Source: Chen et al. 2024, arXiv:2401.13986. Differs: the controls.
    """
    answers = yield [case.ask("explain", case.asked), case.ask_stranger(0)]
    explanation, reading = read_explained(answers[0], case.asked.forms)
    label = case.note("explain", reading)
    case.read["explanation"] = explanation
    follow_ups = yield from find_follow_ups(case, explanation)
    expected = yield from simulate(case, follow_ups, explanation)
    able = {n: one for n, one in follow_ups.items() if expected[n] in one.posed.labels}
    unrelated = (yield from find_unrelated(case, answers[1])) if able else None
    predictions = yield from answer_and_guess(case, able, expected, unrelated)
    simulation = Simulation(
        correct=label in case.right,
        explained=bool(explanation),
        leaks=None if label is None else names_label(explanation, label, case.asked.forms),
        asked=case.count if explanation else 0,
        written=len(follow_ups),
        read=sum(found is not None for found in expected.values()),
        predictions=predictions,
        is_self=case.is_self,
    )
    return Outcome(simulation.metrics(), case.read, simulation.tally)


def freeze(case: Inquiry, explanation: str) -> Dialogue:
    """Let the simulator write follow-ups to an explanation, and guess their answers blind."""
    case.read["explanation"] = explanation
    written = yield from write(case, explanation)
    blind: Sequence[str] = []
    if written:
        blind = yield [case.ask_to_guess(n, posed) for n, posed in enumerate(written, 1)]
    case.read["follow_ups"] = [
        {"question": posed.question, "options": list(posed.options), "blind": str(answer)}
        for posed, answer in zip(written, blind, strict=True)
    ]
    return Outcome({}, case.read)


def find_follow_ups(case: Inquiry, explanation: str) -> Step[dict[int, FollowUp]]:
    """Number the frozen follow-ups, or let the simulator write some; none to no explanation."""
    told: Sequence[FollowUp] = []
    if explanation and case.frozen is not None:
        told = case.frozen
    elif explanation:
        told = [FollowUp(one) for one in (yield from write(case, explanation))]
    case.read["follow_ups"] = [one.posed.text for one in told]
    return dict(enumerate(told, 1))


def write(case: Inquiry, explanation: str) -> Step[list[Posed]]:
    """Let the simulator write follow-ups; what cannot be used is counted."""
    question = case.ask_to_write(explanation)
    answer = yield question
    written = read_follow_ups(
        str(answer),
        case.asked.text,
        case.count,
        with_options=bool(case.asked.options),
        cut_off=isinstance(answer, Answer) and bool(answer.cut_off),
        prompt=question.text,
    )
    case.read["dropped"] = dict(written.dropped)
    return [Posed(*one) for one in written.kept]


def simulate(
    case: Inquiry, follow_ups: Mapping[int, FollowUp], explanation: str
) -> Step[dict[int, str | None]]:
    """Let the simulator answer each follow-up from the explanation alone, or say unknown."""
    if not follow_ups:
        return {}
    answers = yield [
        case.ask_to_simulate(n, one.posed, explanation) for n, one in follow_ups.items()
    ]
    return {
        n: case.note(f"simulate {n}", one.posed.read(str(answer)))
        for (n, one), answer in zip(follow_ups.items(), answers, strict=True)
    }


def find_unrelated(case: Inquiry, first: str) -> Step[Told | None]:
    """Find another question with an explanation; None if none of the strangers has one.

    Args:
        first: the answer to the first of them.
    """
    for place, stranger in enumerate(case.strangers):
        answer = (yield case.ask_stranger(place)) if place else first
        explanation = read_explained(str(answer), stranger.forms).explanation
        if explanation:
            return Told(stranger, explanation)
    return None


def answer_and_guess(
    case: Inquiry,
    able: Mapping[int, FollowUp],
    expected: Mapping[int, str | None],
    unrelated: Told | None,
) -> Step[list[Prediction]]:
    """Ask the model itself, and the simulator for its guesses.

    Args:
        able: the follow-ups that the simulator could answer.
        expected: what it answered.
        unrelated: another question with the model's explanation.
    """
    if not able:
        return []
    asked = [case.ask(f"answer {n}", one.posed) for n, one in able.items()]
    if unrelated:
        asked += [case.ask_to_guess_shuffled(n, one.posed, *unrelated) for n, one in able.items()]
    if not case.is_self:
        asked += [case.ask_to_guess(n, one.posed) for n, one in able.items() if one.blind is None]
    answers = yield asked
    said = {question.stage: str(told) for question, told in zip(asked, answers, strict=True)}
    said |= {f"blind {n}": one.blind for n, one in able.items() if one.blind is not None}
    return [_prediction(case, n, one.posed, str(expected[n]), said) for n, one in able.items()]


def _prediction(
    case: Inquiry, n: int, posed: Posed, expected: str, said: Mapping[str, str]
) -> Prediction:
    own = case.note(f"answer {n}", read_explained(said[f"answer {n}"], posed.forms).label)
    guesses = {
        kind: agreement(case.note(stage, posed.read(said[stage])), own, posed.labels)
        for kind in ("shuffled", "blind")
        if (stage := f"{kind} {n}") in said
    }
    return Prediction(expected, own, **guesses)
