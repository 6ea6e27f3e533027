"""Explanation distillation: a model learns answers, and the explanations of a larger one.

Source: Li et al. 2022, arXiv:2210.06726; Hsieh et al. 2023, arXiv:2305.02301. Every training is on
the same documents in the same order: whatever differs between two of them is what they learn of
explanations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from finetune.asking import teacher_of
from finetune.formats import Completion, Row
from finetune.recipe import DistillData, Objective, Recipe
from finetune.sources import base_of
from finetune.stages import Documents, Facts, Stage, train_once
from finetune.teacher import FEWEST, Read, Teacher, hold, require_rows
from finetune.trainer import Start, fit_together
from finetune.workspace import Workspace
from finetune.writing.lesson_rows import describe_explanations, explanation_rows, lessons, shuffle
from finetune.writing.made_rows import Made, describe, make_once
from finetune.writing.prompt_files import Prompts
from finetune.writing.rationales import WRITERS, distill_prompts, read_given
from finetune.writing.teacher_answers import WRONG, Answered, Reasoned
from harness.data import Doc, doc_hash
from harness.domains import Questions, build_questions
from harness.errors import DataError

EXPLANATIONS = "explanations"
"""The rows that all trainings are made from."""
ANSWER_ONLY = "answer-only"
SHUFFLED = "-shuffled"
"""Ends the name of a training on explanations of other questions."""
UNANSWERED = "no answer of the one who explained"


def problem(recipe: Recipe, doc: Mapping[str, Any]) -> str | None:
    """Say what keeps a document from being used, or None."""
    data = _data(recipe)
    fault = _questions(data).problem(doc)
    if fault or data.explanations != "given":
        return fault
    for key, column in (("explanation", data.explanation), ("teacher_answer", data.teacher_answer)):
        if column is not None and column not in doc:
            return f"data.{key}: no column {column!r}; there are: {', '.join(sorted(doc))}"
    told = doc[data.explanation] if data.explanation else None
    return None if told is None or isinstance(told, str) else f"{data.explanation} is no text"


def train(recipe: Recipe, workspace: Workspace, documents: Documents) -> list[Stage]:
    """Get the explanations; train on them by each objective, and on the controls.

    Returns:
        The checkpoints: of the answers alone, of the objectives but the last, of the last one with
        explanations of other questions, of the last one.

    Raises:
        DataError: too few explanations are given, or differ, or fit into the model.
        ModelError: too little of what the teacher wrote can be used.
        TrainingError: a training diverged, or could not be saved.
    """
    arms = make_arms(recipe, workspace, documents)
    start = Start(model=base_of(recipe), revision=recipe.model.revision)
    fitted, too_long = fit_together(recipe, start, {name: arm.rows for name, arm in arms.items()})
    lost = {f"dropped: {reason}": number for reason, number in too_long.items()}
    stages = []
    for name, rows in fitted.items():
        facts = train_once(workspace, name, recipe, start, (rows, []))
        told = {"rows": len(rows), **arms[name].told, **lost, **_losses(facts), **facts.told}
        stages.append(Stage(name, workspace.checkpoint(name), told, baselines(name, list(arms))))
    return stages


def make_arms(recipe: Recipe, workspace: Workspace, documents: Documents) -> dict[str, Made]:
    """Get the explanations, and make the rows of every training; or read them: name -> rows.

    Raises:
        DataError, ModelError: as `train`.
        TrainingError: a model was trained on rows made of other things.
    """
    data, prompts = _data(recipe), distill_prompts(_data(recipe).kind)
    teacher = teacher_of(recipe) if data.asks_teacher else None
    known = {**_settings(data), "seed": recipe.seed}
    made = make_once(
        workspace,
        EXPLANATIONS,
        describe(recipe, EXPLANATIONS, documents, teacher, prompts, known),
        lambda: find_explanations(data, documents, teacher, prompts),
    )
    told = reread(data, documents, made.rows)
    known["explanations"] = doc_hash({"rows": [msgspec.to_builtins(row) for row in made.rows]})
    arms = {}
    for name, (questions, objective) in plan_arms(data, told, recipe.seed).items():
        facts = {**made.facts, **(describe_explanations(questions) if objective else {})}
        rows = lessons(questions, objective, prompts)
        header = describe(recipe, name, documents, teacher, prompts, {**known, "training": name})
        arms[name] = make_once(
            workspace, name, header, partial(Made, rows, made.dropped, facts=facts)
        )
    return arms


def find_explanations(
    data: DistillData, documents: Documents, teacher: Teacher | None, prompts: Prompts
) -> Made:
    """Give the explanations that can be used, as rows of `mt_re`.

    Args:
        teacher: who writes them; None: the documents have them.

    Raises:
        DataError: too few of those that are given can be used.
        ModelError: too few of those that the teacher wrote can be.
    """
    docs = dict(zip(documents.kept.hashes, documents.kept.docs, strict=True))
    if teacher is None:
        reads: Mapping[str, Read] = {key: _given(data, doc) for key, doc in docs.items()}
    else:
        questions, write = _questions(data), WRITERS[data.explanations]
        reads = hold(
            teacher,
            {
                digest: partial(write, Answered.of(doc, questions), prompts)
                for digest, doc in docs.items()
            },
        )
    dropped = Counter(str(read["dropped"]) for read in reads.values() if "dropped" in read)
    kept = {key: read for key, read in reads.items() if "dropped" not in read}
    if teacher is None:
        _require_given(len(kept), len(docs), dropped)
    else:
        require_rows(len(kept), dropped, "explanations")
    told = {key: _reasoned(data, docs[key], str(read["explanation"])) for key, read in kept.items()}
    by = Counter(str(read["by"]) for read in kept.values())
    facts = {
        "acceptance (explanations kept, of all documents)": len(kept) / len(docs),
        **{f"explained by {name}": float(number) for name, number in sorted(by.items())},
    }
    return Made(explanation_rows(told, prompts), dropped, facts=facts)


def reread(data: DistillData, documents: Documents, rows: Iterable[Row]) -> dict[str, Reasoned]:
    """Put explanations back to their questions and answers: hash -> all three.

    Args:
        rows: of `find_explanations`, made of these documents.
    """
    docs = dict(zip(documents.kept.hashes, documents.kept.docs, strict=True))
    return {
        row.origin: _reasoned(data, docs[row.origin], row.answer)
        for row in rows
        if isinstance(row, Completion)
    }


def plan_arms(
    data: DistillData, told: Mapping[str, Reasoned], seed: int
) -> dict[str, tuple[Mapping[str, Reasoned], Objective | None]]:
    """Say what the trainings are: name -> its questions with explanations, and its objective.

    All have the same documents in the same order; the last one is the result.

    Raises:
        DataError: the explanations cannot be shuffled.
    """
    *others, last = data.objectives
    arms: dict[str, tuple[Mapping[str, Reasoned], Objective | None]] = {}
    if "answer_only" in data.controls:
        arms[ANSWER_ONLY] = (told, None)
    arms |= {_name(objective): (told, objective) for objective in others}
    if "shuffled" in data.controls:
        arms[f"{_name(last)}{SHUFFLED}"] = (shuffle(told, seed), last)
    return arms | {_name(last): (told, last)}


def baselines(name: str, arms: Sequence[str]) -> tuple[str, ...]:
    """Name the trainings that one is compared with: the answers alone, its shuffled explanations.

    Args:
        arms: the names of all.

    >>> baselines("mt-cot", ["answer-only", "mt-re", "mt-cot-shuffled", "mt-cot"])
    ('answer-only', 'mt-cot-shuffled')
    """
    beside = (ANSWER_ONLY, f"{name}{SHUFFLED}")
    return tuple(other for other in beside if other in arms and other != name)


def _given(data: DistillData, doc: Doc) -> Read:
    """Read the explanation that a document has, if whoever gave it was right."""
    known = Answered.of(doc, _questions(data))
    if data.teacher_answer is not None:
        columns = {"question": data.question, **data.columns, "answer": data.teacher_answer}
        theirs = build_questions(data.kind, columns)
        if theirs.problem(doc):
            return {"dropped": UNANSWERED}
        if theirs.gold(doc) not in known.right:
            return {"dropped": WRONG}
    assert data.explanation is not None, "a recipe with given explanations names their column"
    told = read_given(doc[data.explanation], known)
    read = {"explanation": told.explanation, "by": "data"}
    return {"dropped": told.fault} if told.fault else read


def _require_given(kept: int, documents: int, dropped: Mapping[str, int]) -> None:
    if kept < FEWEST:
        counts = sorted(dropped.items(), key=lambda one: -one[1])
        told = ", ".join(f"{number} {reason}" for reason, number in counts)
        raise DataError(
            f"too little to train on: {kept} explanations of {documents} documents are left, at "
            f"least {FEWEST} are needed; dropped: {told}. Take more documents (data.subset), or "
            "another column (data.explanation, data.teacher_answer)"
        )


def _reasoned(data: DistillData, doc: Doc, explanation: str) -> Reasoned:
    questions = _questions(data)
    return Reasoned(questions.posed(doc), explanation, questions.gold(doc))


def _losses(facts: Facts) -> dict[str, float | None]:
    return {
        "loss in the last epoch": facts.recent("loss"),
        "answer loss in the last epoch": facts.recent("loss_answer"),
        "explanation loss in the last epoch": facts.recent("loss_explanation"),
    }


def _name(objective: Objective) -> str:
    return objective.replace("_", "-")


def _data(recipe: Recipe) -> DistillData:
    assert isinstance(recipe.data, DistillData)
    return recipe.data


def _questions(data: DistillData) -> Questions:
    return build_questions(data.kind, {"question": data.question, **data.columns})


def _settings(data: DistillData) -> dict[str, Any]:
    return {
        "kind": data.kind,
        "columns": [data.question, dict(data.columns)],
        "explanations": data.explanations,
        "explanation": data.explanation,
        "teacher_answer": data.teacher_answer,
    }
