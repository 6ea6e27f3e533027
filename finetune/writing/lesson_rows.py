"""Lessons of explanation distillation: the answer to a question, and its explanation, as rows.

Source: Li et al. 2022, arXiv:2210.06726 (MT-Re, MT-Ra, MT-CoT; the forms are reconstructed from
what others write of them); Hsieh et al. 2023, arXiv:2305.02301 (the weight, as `data.alpha`).
Differs: the words of the prompts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from finetune.formats import Completion, Lesson
from finetune.recipe import Objective
from finetune.split import normalised, split
from finetune.writing.closings import without_article
from finetune.writing.prompt_files import Prompts
from finetune.writing.teacher_answers import Reasoned, closed
from harness.errors import DataError
from harness.parsing import names_label


def lessons(
    questions: Mapping[str, Reasoned], objective: Objective | None, prompts: Prompts
) -> list[Lesson]:
    """Make the rows of a training.

    Args:
        questions: hash of a document -> its question with answer and explanation.
        objective: what is learnt of explanations; None: the answers alone.
        prompts: have the prompts of the rows.
    """
    return [
        Lesson(
            _row("answering", one.label, one, prompts, digest),
            _row(objective, target(one, objective), one, prompts, digest) if objective else None,
        )
        for digest, one in questions.items()
    ]


def explanation_rows(questions: Mapping[str, Reasoned], prompts: Prompts) -> list[Completion]:
    """Make rows of the explanations alone, asked for as MT-Re does."""
    return [
        _row("mt_re", told.explanation, told, prompts, digest) for digest, told in questions.items()
    ]


def target(told: Reasoned, objective: Objective) -> str:
    """Write what is learnt of an explanation.

    >>> from harness.domains import Posed
    >>> told = Reasoned(Posed("Do pears float?"), "Pears hold air.", "yes")
    >>> target(told, "mt_re")
    'Pears hold air.'
    >>> target(told, "mt_ra")
    'yes because Pears hold air.'
    >>> target(told, "mt_cot")
    'Pears hold air. So the answer is yes.'
    """
    if objective == "mt_re":
        return told.explanation
    if objective == "mt_ra":
        return f"{told.label} because {told.explanation}"
    return closed(told.explanation, told.label)


def shuffle(questions: Mapping[str, Reasoned], seed: int) -> dict[str, Reasoned]:
    """Give every question the explanation of another one; answers stay where they are.

    The control of a distillation: the same explanations in the same numbers, of the same length,
    which say nothing of their questions. Whose explanation a question gets does not depend on its
    answer: if it always were that of another answer, it would tell which answer it is not.

    Args:
        questions: hash of a document -> its question.
        seed: another one deals out otherwise; the order of the documents does not matter.

    Raises:
        DataError: more than half of the explanations are the same.
    """
    keys, random = sorted(questions), Random(seed)
    texts = [questions[key].explanation for key in keys]
    names = [normalised(text) for text in texts]
    if not keys or max(Counter(names).values()) > len(keys) // 2:
        raise DataError(
            f"{len(keys)} explanations cannot be dealt out so that every question gets another one "
            "than its own: too few of them differ. Take more documents (data.subset), or leave "
            "shuffled out of data.controls"
        )
    places = list(range(len(keys)))
    random.shuffle(places)
    for at in range(len(keys)):
        _part(at, places, names, random)
    dealt = {key: texts[place] for key, place in zip(keys, places, strict=True)}
    return {key: replace(told, explanation=dealt[key]) for key, told in questions.items()}


def names_answer(told: Reasoned) -> bool:
    """Say whether an explanation names the answer.

    An option is named by its text, with or without a leading article, or by its letter used as one
    ("(A)", "option A", not "A tree"); yes and no by being said as an answer ("No, it floats.", "the
    answer is no", not "there is no air").

    >>> from harness.domains import Posed
    >>> where = Posed("Where is Ann?", ("at sea", "a tree"))
    >>> names_answer(Reasoned(where, "Who is AT SEA rows.", "A"))
    True
    >>> names_answer(Reasoned(where, "Who is at seaside resorts rows.", "A"))
    False
    """
    posed = told.posed
    if names_label(told.explanation, told.label, posed.forms):
        return True
    if not posed.options:
        return False
    wanted = without_article(posed.options[posed.labels.index(told.label)])
    words = split(told.explanation)
    runs = range(len(words) - len(wanted) + 1)
    return bool(wanted) and any(words[at : at + len(wanted)] == wanted for at in runs)


def describe_explanations(questions: Mapping[str, Reasoned]) -> dict[str, float]:
    """Tell how many explanations name the answer, and how long they are: name -> number."""
    if not questions:
        return {}
    told = list(questions.values())
    return {
        "leak (explanations that name the answer)": sum(map(names_answer, told)) / len(told),
        "words per explanation": sum(len(one.explanation.split()) for one in told) / len(told),
    }


def _part(at: int, places: list[int], names: Sequence[str], random: Random) -> None:
    """Swap, in place, what a question gets, if that is its own text.

    There is always another to swap with that gets no text of its own by it: a text that is at most
    half of all is at fewer than all places either own or got.
    """
    own = names[at]
    if names[places[at]] != own:
        return
    others = [n for n, place in enumerate(places) if own not in {names[n], names[place]}]
    other = random.choice(others)
    places[at], places[other] = places[other], places[at]


def _row(stage: str, answer: str, told: Reasoned, prompts: Prompts, origin: str) -> Completion:
    prompt, posed = prompts[stage], told.posed
    shown = {"question": posed.text, "answers": posed.answers}
    return Completion(prompt.render(**shown).strip(), prompt.cue, answer, origin)
