"""Can a reader of the model's explanation predict its answers to other questions?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.checks.inquiry import FollowUp, Inquiry
from harness.checks.predictions import Prediction, Simulation
from harness.domains import Posed
from harness.parsing import names_label, read_explained, read_follow_ups
from harness.questions import Answer, Dialogue, Outcome, Step


def consistency(case: Inquiry) -> Dialogue:
    """Ask for an explanation with its answer; can its reader predict the answers to follow-ups?

    The simulator writes follow-ups and answers them from the explanation alone; the model answers
    those that it could. Controls: the simulator's guess from another question's explanation
    (`shuffled`) and from none (`blind`); unlike the prediction, a guess must be definite.
    Source: Chen et al. 2024, arXiv:2401.13986. Differs: the controls.
    """
    answers = yield [case.ask("explain", case.asked), case.ask("explain another", case.stranger)]
    explanation, reading = read_explained(answers[0], case.asked.forms)
    label = case.note("explain", reading)
    case.read["explanation"] = explanation
    follow_ups = yield from find_follow_ups(case, explanation)
    expected = yield from simulate(case, follow_ups, explanation)
    able = {n: one for n, one in follow_ups.items() if expected[n] in one.posed.labels}
    unrelated = read_explained(answers[1], case.stranger.forms).explanation
    predictions = yield from compare(case, able, expected, unrelated)
    simulation = Simulation(
        correct=label == case.gold,
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
    written = read_written(case, (yield case.ask_to_write(explanation)))
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
        told = [FollowUp(one) for one in read_written(case, (yield case.ask_to_write(explanation)))]
    case.read["follow_ups"] = [one.posed.text for one in told]
    return dict(enumerate(told, 1))


def read_written(case: Inquiry, answer: object) -> list[Posed]:
    """Read the follow-ups that the simulator has written; what cannot be used is counted."""
    written = read_follow_ups(
        str(answer),
        case.asked.question,
        case.count,
        with_options=bool(case.asked.options),
        cut_off=isinstance(answer, Answer) and bool(answer.cut_off),
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


def compare(
    case: Inquiry,
    able: Mapping[int, FollowUp],
    expected: Mapping[int, str | None],
    unrelated: str,
) -> Step[list[Prediction]]:
    """Ask the model itself, and the simulator for its guesses.

    Args:
        able: the follow-ups that the simulator could answer.
        expected: what it answered.
        unrelated: the explanation of another question.
    """
    if not able:
        return []
    asked = [case.ask(f"answer {n}", one.posed) for n, one in able.items()]
    asked += [case.ask_to_guess_shuffled(n, one.posed, unrelated) for n, one in able.items()]
    if not case.is_self:
        asked += [case.ask_to_guess(n, one.posed) for n, one in able.items() if one.blind is None]
    answers = yield asked
    said = {question.stage: str(told) for question, told in zip(asked, answers, strict=True)}
    return [_prediction(case, n, one, expected[n], said) for n, one in able.items()]


def _prediction(
    case: Inquiry, n: int, one: FollowUp, expected: str | None, said: Mapping[str, str]
) -> Prediction:
    posed = one.posed
    blind = said.get(f"blind {n}", one.blind)
    return Prediction(
        posed.labels,
        str(expected),
        own=case.note(f"answer {n}", read_explained(said[f"answer {n}"], posed.forms).label),
        shuffled=case.note(f"shuffled {n}", posed.read(said[f"shuffled {n}"])),
        blind=None if blind is None else case.note(f"blind {n}", posed.read(blind)),
    )
