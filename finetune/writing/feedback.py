"""LaFFi's training set: what people, a teacher or rules say of the model's answers.

Source: Li et al. 2023, arXiv:2401.00907. Differs: the words of prompts and feedback; the paper does
not give its protocol of annotation in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from finetune.formats import Completion
from finetune.split import normalised
from finetune.writing.feedback_replies import Feedback, read_feedback
from finetune.writing.prompt_files import Prompts, read_prompts
from finetune.writing.teacher_answers import ask, ended, one_line
from harness.domains.passages import PassageQuestion
from harness.parsing import UNANSWERABLE, read_extracted
from harness.parsing.replies import plain
from harness.parsing.squad import exact_match, normalise, token_f1
from harness.parsing.turns import own_turn
from harness.questions import Dialogue, Outcome

SLOTS: Mapping[str, tuple[str, ...]] = {
    "answer": ("context", "question"),
    "feedback": ("context", "question", "answers", "answer"),
    "train": ("context", "question", "answer"),
}
"""Stage -> what its prompt may show: the model is asked `answer`, the teacher `feedback`."""

NO_ANSWER = "no answer of the model"
CONTRADICTS = "contradicts the right answers"
CALLS_WRONG_RIGHT = "names a wrong answer as right"
CALLS_RIGHT_WRONG = "names the answer that it calls wrong as right"
ECHOES = "repeats the answer"

RIGHT, WRONG = "The answer is right.", "The answer is wrong."


@dataclass(frozen=True)
class Attempt:
    """An answer of the model, and how near it comes to the right ones.

    Attributes:
        text: as the model wrote it, on one line, not empty.
        value: what it says; "" that the passage has no answer; None if it cannot be read.
        exact: whether it is one of the right answers (exact match of SQuAD 2.0).
        f1: the words that it shares with the nearest of them, from 0 to 1 (F1 of SQuAD 2.0).
    """

    text: str
    value: str | None
    exact: bool
    f1: float


def feedback_prompts() -> Prompts:
    """Read the prompts: `answer` for the model, `feedback` for the teacher, `train` for rows."""
    return read_prompts("laffi", SLOTS)


def answer(asked: PassageQuestion, prompts: Prompts) -> Dialogue:
    """Let the model answer; it reads {"text": ..., "value": ..., "cut_off": ...}."""
    told = yield ask(prompts, "answer", context=asked.context, question=asked.question)
    text = one_line(plain(own_turn(str(told))))
    read = {"text": text, "value": read_extracted(str(told)).value}
    return Outcome({}, {**read, "cut_off": getattr(told, "cut_off", None)})


def judged(asked: PassageQuestion, read: Mapping[str, object]) -> Attempt | None:
    """Compare what `answer` read with the right answers; None if the model said nothing."""
    text, value = str(read["text"]), read["value"]
    if not text:
        return None
    if value is None:  # nobody can tell what it says: no right answer, whatever is right
        return Attempt(text, None, False, 0.0)
    said = str(value)
    exact, f1 = exact_match(said, asked.golds), token_f1(said, asked.golds)
    return Attempt(text, said, bool(exact), float(f1))


def templated(asked: PassageQuestion, told: Attempt) -> Feedback:
    """Give feedback by rules: right is what matches exactly."""
    return Feedback(told.exact, _reason(asked, told), gold(asked))


def annotate(asked: PassageQuestion, told: Attempt, prompts: Prompts) -> Dialogue:
    """Let the teacher, who sees the right answers, give feedback.

    It reads the fields of `Feedback`, or {"dropped": reason}.
    """
    reply = yield ask(
        prompts, "feedback", context=asked.context, question=asked.question,
        answers="; ".join(_golds(asked)) or UNANSWERABLE, answer=told.text,
    )  # fmt: skip
    shown = prompts["feedback"].render(**dict.fromkeys(SLOTS["feedback"], ""))
    reading = read_feedback(reply, shown)  # type: ignore[arg-type]
    if reading.value is None:
        return Outcome({}, {"dropped": reading.reason})
    fault = feedback_fault(asked, told, reading.value)
    return Outcome({}, {"dropped": fault} if fault else reading.value._asdict())


def feedback_fault(asked: PassageQuestion, told: Attempt, feedback: Feedback) -> str | None:
    """Say why the teacher's feedback on an answer cannot be used, or None.

    Its verdict is held to the right answers where they settle it: an exact match is right; an
    answer that shares no word with any of them is wrong. In between it may say either.
    """
    if normalised(feedback.why) == normalised(told.text):
        return ECHOES
    if (feedback.is_right and not told.f1) or (told.exact and not feedback.is_right):
        return CONTRADICTS
    named = feedback.right_answer
    read = read_extracted(named).value
    if named and not token_f1(named if read is None else read, asked.golds):
        return CALLS_WRONG_RIGHT
    same = not feedback.is_right and said_of(named) == said_of(told.text)
    return CALLS_RIGHT_WRONG if named and same else None


def said_of(text: str) -> str:
    """Reduce an answer to what it says, by SQuAD's rules: equal answers say the same.

    >>> said_of("The Seine."), said_of("The passage does not say.")
    ('seine', 'unanswerable')
    """
    value = read_extracted(text).value
    if value == "":
        return UNANSWERABLE
    return normalise(text if value is None else value) or one_line(text)


def feedback_text(feedback: Feedback) -> str:
    """Write feedback as it is learnt.

    >>> feedback_text(Feedback(False, "It was in 1911", "1911"))
    'The answer is wrong. It was in 1911. A right answer would be: 1911.'
    """
    parts = [RIGHT if feedback.is_right else WRONG, ended(one_line(feedback.why))]
    if not feedback.is_right and feedback.right_answer:
        parts.append(ended(f"A right answer would be: {one_line(feedback.right_answer)}"))
    return " ".join(part for part in parts if part)


def feedback_row(
    asked: PassageQuestion, said: str, feedback: Feedback, prompts: Prompts, origin: str
) -> Completion:
    """Make a row of LaFFi: the model foretells what an answer (`said`) is worth."""
    train = prompts["train"]
    text = train.render(context=asked.context, question=asked.question, answer=said)
    return Completion(text.strip(), train.cue, feedback_text(feedback), origin)


def answer_row(asked: PassageQuestion, prompts: Prompts, origin: str) -> Completion:
    """Make a row of plain finetuning: the model learns the right answer."""
    told = prompts["answer"]
    text = told.render(context=asked.context, question=asked.question)
    return Completion(text.strip(), told.cue, gold(asked), origin)


def gold(asked: PassageQuestion) -> str:
    """Give the right answer to learn: the first one, or that there is none."""
    return next(iter(_golds(asked)), UNANSWERABLE)


def _golds(asked: PassageQuestion) -> list[str]:
    """Give the right answers, each once; one without words counts for none, as in SQuAD's rules."""
    return [told for told in dict.fromkeys(asked.golds) if normalise(told)]


def _reason(asked: PassageQuestion, told: Attempt) -> str:
    if told.exact:
        says = "gives just this" if _golds(asked) else "does not answer the question"
        return f"The passage {says}."
    if told.value is None:
        return "It does not give one answer."
    if not _golds(asked):
        return "The passage does not answer the question."
    if not told.value:
        return "The passage does answer the question."
    if not told.f1:
        return "It has no word in common with what the passage gives."
    return "It has some words of what the passage gives, but not just these."
