"""EC-SFT: the model learns to answer related questions as its explanation for one has it.

Source: Chen et al. 2024, arXiv:2401.13986.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from finetune.asking import teacher_of
from finetune.recipe import EcSftData, Recipe
from finetune.sources import base_of
from finetune.split import leaks
from finetune.stages import Documents, Facts, Stage, train_once
from finetune.teacher import Teacher, hold, require_rows
from finetune.trainer import Start
from finetune.workspace import Workspace
from finetune.writing.consistent_answers import (
    by_question,
    completions,
    consistency_prompts,
    consistent_answers,
    explain,
    read_starter,
)
from finetune.writing.made_rows import Made, describe, make_once
from finetune.writing.prompt_files import Prompts
from finetune.writing.teacher_answers import NO_EXPLANATION, Answered, Reasoned
from harness.domains import Questions, build_questions
from harness.errors import DataError
from harness.selection import draw_subset

log = logging.getLogger(__name__)

LEAKED = "matches what is scored"


def problem(recipe: Recipe, doc: Mapping[str, Any]) -> str | None:
    """Say what keeps a document from being used, or None."""
    data = _data(recipe)
    fault = _questions(data).problem(doc)
    column = data.explanation
    if fault or column is None:
        return fault
    if column not in doc:
        return f"data.explanation: no column {column!r}; there are: {', '.join(sorted(doc))}"
    return None if isinstance(doc[column], str) else f"{column} is no text"


def train(recipe: Recipe, workspace: Workspace, documents: Documents) -> list[Stage]:
    """Let the teacher write consistent answers; train at each learning rate; take the best.

    Returns:
        The checkpoint of the lowest dev loss.

    Raises:
        DataError: too few questions are left for a dev set.
        ModelError: nothing of what the teacher wrote can be used.
        TrainingError: a training diverged, or could not be saved.
    """
    data, prompts = _data(recipe), consistency_prompts(_data(recipe).kind)
    _dev_size(len(documents.kept.docs), data.dev)
    teacher = teacher_of(recipe)
    made = make_once(
        workspace,
        "rows",
        describe(recipe, "rows", documents, teacher, prompts, _settings(data)),
        lambda: ask_teacher(data, documents, teacher, prompts),
    )
    rows, dev = divide(made, data.dev, recipe.seed)
    start = Start(model=base_of(recipe), revision=recipe.model.revision)
    tried: dict[float, tuple[str, Facts]] = {}
    for rate in data.learning_rates:
        name = f"learning-rate-{rate:g}"
        facts = train_once(workspace, name, recipe, start, (rows, dev), rate)
        tried[rate] = (name, facts)
        log.info("Learning rate %g: dev loss %s", rate, facts.lowest("eval_loss"))
    best = min(tried, key=lambda rate: _dev_loss(tried[rate][1]))
    name, facts = tried[best]
    told = _told(made, len(rows), len(dev), facts)
    losses = {f"dev loss at {rate:g}": _dev_loss(one) for rate, (_, one) in tried.items()}
    return [Stage(name, workspace.checkpoint(name), {**told, **losses, "learning rate": best})]


def ask_teacher(data: EcSftData, documents: Documents, teacher: Teacher, prompts: Prompts) -> Made:
    """Let the teacher write the rows: the starters, and consistent answers to what follows them up.

    Questions that match a document that is scored are dropped.

    Raises:
        ModelError: nothing can be used.
    """
    starters, dropped = find_starters(data, documents, teacher, prompts)
    require_rows(len(starters), dropped, "explanations")
    reads: Mapping[str, Any] = hold(
        teacher,
        {
            digest: partial(consistent_answers, starter, prompts, data.follow_ups)
            for digest, starter in starters.items()
        },
    )
    leaked = leave_out_leaks(reads, documents)
    told = completions(starters, reads, prompts)
    lost = told.dropped + dropped + Counter({LEAKED: len(leaked)})
    require_rows(len(told.rows) - len(starters), lost, "follow-ups with their answers")
    return Made(told.rows, lost, leaked)


def find_starters(
    data: EcSftData, documents: Documents, teacher: Teacher, prompts: Prompts
) -> tuple[dict[str, Reasoned], Counter[str]]:
    """Give the questions with an explanation: hash -> starter; and why others have none."""
    questions = _questions(data)
    docs = dict(zip(documents.kept.hashes, documents.kept.docs, strict=True))
    told, dropped = dict[str, str](), Counter[str]()
    if data.explanation is not None:
        told = {digest: str(doc[data.explanation]) for digest, doc in docs.items()}
    else:
        reads = hold(
            teacher,
            {
                digest: partial(explain, Answered.of(doc, questions), prompts)
                for digest, doc in docs.items()
            },
        )
        dropped.update(str(read["dropped"]) for read in reads.values() if "dropped" in read)
        told = {
            key: str(read["explanation"]) for key, read in reads.items() if "dropped" not in read
        }
    starters = {}
    for digest, text in told.items():
        doc = docs[digest]
        starter = read_starter(questions.posed(doc), text, questions.gold(doc))
        if starter is None:
            dropped[NO_EXPLANATION] += 1
        else:
            starters[digest] = starter
    return starters, dropped


def leave_out_leaks(reads: Mapping[str, Any], documents: Documents) -> list[str]:
    """Leave out, in place, the questions that match a document that is scored; give them."""
    written = [row["question"] for read in reads.values() for row in read["rows"]]
    found = leaks(written, documents.evaluated)
    for text, leak in found.items():
        log.warning("Left out of training: %r, %s of %s", text, leak.why, leak.dataset)
    for read in reads.values():
        read["rows"] = [row for row in read["rows"] if row["question"] not in found]
    return [text for text in written if text in found]


def divide(made: Made, share: float, seed: int) -> tuple[list[Any], list[Any]]:
    """Keep a share of the questions with all their rows for the dev loss.

    Raises:
        DataError: there are too few of them.
    """
    questions = by_question(row for row in made.rows)  # type: ignore[misc]
    names = sorted(questions)
    chosen = {names[place] for place in draw_subset(names, _dev_size(len(names), share), seed)}
    parts: tuple[list[Any], list[Any]] = ([], [])
    for name in names:
        parts[name in chosen].extend(questions[name])
    return parts


def _dev_size(questions: int, share: float) -> int:
    size = round(share * questions)
    if not 0 < size < questions:
        raise DataError(
            f"there are {questions} questions, and data.dev is {share:g}: that makes no dev set; "
            "take more documents (data.subset), or another share"
        )
    return size


def _dev_loss(facts: Facts) -> float:
    loss = facts.lowest("eval_loss")
    assert loss is not None
    return loss


def _data(recipe: Recipe) -> EcSftData:
    assert isinstance(recipe.data, EcSftData)
    return recipe.data


def _questions(data: EcSftData) -> Questions:
    return build_questions(data.kind, {"question": data.question, **data.columns})


def _settings(data: EcSftData) -> dict[str, Any]:
    return {
        "kind": data.kind,
        "columns": [data.question, dict(data.columns)],
        "explanation": data.explanation,
        "follow_ups": data.follow_ups,
    }


def _told(made: Made, rows: int, dev: int, facts: Facts) -> dict[str, float | None]:
    return {
        "rows": rows,
        "dev rows": dev,
        **made.told,
        "loss in the last epoch": facts.recent("loss"),
        **facts.told,
    }
