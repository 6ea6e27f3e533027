"""LaFFi: the model learns to foretell the feedback that its answers get.

Source: Li et al. 2023, arXiv:2401.00907. Trained beside it, on the same documents and for as many
steps: plain finetuning on the right answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from finetune.asking import model_as_teacher, teacher_of
from finetune.formats import Row
from finetune.recipe import LaffiData, Recipe
from finetune.sources import base_of
from finetune.stages import Documents, Facts, Stage, train_once
from finetune.teacher import Read, hold, require_rows
from finetune.trainer import Start, fit_together
from finetune.workspace import Workspace
from finetune.writing.annotations import Annotation, OpenAnnotation
from finetune.writing.feedback import (
    NO_ANSWER,
    Attempt,
    annotate,
    answer,
    answer_row,
    feedback_prompts,
    feedback_row,
    judged,
    templated,
)
from finetune.writing.feedback_replies import Feedback
from finetune.writing.given_feedback import GivenFeedback, write_given
from finetune.writing.human_share import asked_of_people, check_annotations, find_annotations
from finetune.writing.made_rows import Made, describe, make_once
from finetune.writing.prompt_files import Prompts
from finetune.writing.teacher_answers import one_line
from harness.data import doc_hash
from harness.domains.passages import PassageQuestion, Passages

SFT, LAFFI = "sft", "laffi"
HUMAN = "human"
HUMAN_SHARE = "human share of the feedback"
CHANGED = "annotated answers that the model gives otherwise now"


def problem(recipe: Recipe, doc: Mapping[str, Any]) -> str | None:
    """Say what keeps a document from being used, or None."""
    return _passages(recipe).problem(doc)


def train(recipe: Recipe, workspace: Workspace, documents: Documents) -> list[Stage]:
    """Let the model answer, and others say what its answers are worth; train on that.

    Returns:
        Plain finetuning, and LaFFi, the result.

    Raises:
        ConfigError, DataError: annotations by people are missing, or are of other passages; or no
            row fits.
        ModelError: nothing of what model and teacher wrote can be used.
        TrainingError: a training diverged, or could not be saved.
    """
    prompts, passages = feedback_prompts(), find_passages(recipe, documents)
    people = asked_of_people(_data(recipe), documents.kept.hashes)
    made = _make(recipe, workspace, documents, people, prompts)
    plain = [answer_row(passages[row.origin], prompts, row.origin) for row in made.rows]
    start = Start(model=base_of(recipe), revision=recipe.model.revision)
    arms, long = fit_together(recipe, start, {SFT: plain, LAFFI: made.rows})
    facts = {name: train_once(workspace, name, recipe, start, (arms[name], [])) for name in arms}
    told = {name: _told(arms[name], facts[name], long) for name in arms}
    by_people = sum(row.origin in set(people) for row in arms[LAFFI]) / len(arms[LAFFI])
    feedback = {**made.told, HUMAN_SHARE: by_people}
    return [
        Stage(SFT, workspace.checkpoint(SFT), told[SFT]),
        Stage(LAFFI, workspace.checkpoint(LAFFI), {**feedback, **told[LAFFI]}, baselines=(SFT,)),
    ]


def to_annotate(recipe: Recipe, documents: Documents) -> list[OpenAnnotation]:
    """Give the model's answers that people are to give feedback on.

    Those of the recipe's share; where it is 0, all, those that a small share takes first coming
    first. The model is asked about all documents in any case, as it is for training, so that its
    answers are the same; they are kept.

    Raises:
        ModelError: the model cannot be loaded.
    """
    data = _data(recipe)
    asked = data if data.human_fraction else replace(data, human_fraction=1.0)
    people = asked_of_people(asked, documents.kept.hashes)
    passages = find_passages(recipe, documents)
    answers, _ = find_answers(recipe, passages, feedback_prompts())
    return [
        OpenAnnotation(
            id=digest,
            context=passages[digest].context,
            question=passages[digest].question,
            model_answer=answers[digest].text,
        )
        for digest in people
        if digest in answers
    ]


def find_passages(recipe: Recipe, documents: Documents) -> dict[str, PassageQuestion]:
    """Give what the model is asked: hash of a document -> its passage."""
    told, kept = _passages(recipe), documents.kept
    return {key: told.asked(doc) for key, doc in zip(kept.hashes, kept.docs, strict=True)}


def find_answers(
    recipe: Recipe, passages: Mapping[str, PassageQuestion], prompts: Prompts
) -> tuple[dict[str, Attempt], dict[str, float]]:
    """Let the model answer, as it is before training.

    Returns:
        Hash -> its answer, where it gave any; and how many were no whole or readable answers:
        feedback can be given on them all the same.
    """
    reads = hold(
        model_as_teacher(recipe, base_of(recipe)),
        {digest: partial(answer, passage, prompts) for digest, passage in passages.items()},
    )
    answers = {
        digest: told
        for digest, passage in passages.items()
        if (told := judged(passage, reads[digest])) is not None
    }
    return answers, {
        "answers cut off": sum(bool(reads[digest]["cut_off"]) for digest in answers),
        "answers not readable": sum(told.value is None for told in answers.values()),
    }


def _make(
    recipe: Recipe,
    workspace: Workspace,
    documents: Documents,
    people: Sequence[str],
    prompts: Prompts,
) -> Made:
    """Make the rows of feedback, or read them if they were made before."""
    from accelerate import PartialState

    data = _data(recipe)
    given = find_annotations(data, people)
    known = {
        "model": model_as_teacher(recipe, base_of(recipe)).identity(),
        "columns": [data.context, data.question, data.answers],
        "annotator": data.annotator,
        "people": {digest: _digest(given.get(digest)) for digest in sorted(people)},
    }
    teacher = teacher_of(recipe) if data.asks_teacher else None
    header = describe(recipe, LAFFI, documents, teacher, prompts, known)
    passages = find_passages(recipe, documents)
    main = PartialState().is_main_process

    def make() -> Made:
        made, said = give_feedback(recipe, passages, people, given, prompts)
        if main:
            write_given(workspace.feedback(), said)
        return made

    return make_once(workspace, LAFFI, header, make)


def give_feedback(
    recipe: Recipe,
    passages: Mapping[str, PassageQuestion],
    people: Sequence[str],
    given: Mapping[str, Annotation],
    prompts: Prompts,
) -> tuple[Made, list[GivenFeedback]]:
    """Let the model answer, and put together what people, a teacher or rules say of it.

    What people judged is learnt as they judged it, whatever the model answers now.

    Args:
        passages: hash -> passage, of all documents.
        people: hashes of the documents that people were asked about, in the order of drawing.
        given: hash -> annotation, of these.

    Returns:
        The rows, and who gave the feedback of each.

    Raises:
        DataError: as `check_annotations`.
        ModelError: too little can be used.
    """
    data = _data(recipe)
    answers, counts = find_answers(recipe, passages, prompts)
    check_annotations(data.annotations, given, passages, people, answers)
    silent = passages.keys() - answers.keys() - given.keys()
    dropped = Counter({NO_ANSWER: len(silent)})
    by_people = {digest: _said(told) for digest, told in given.items()}
    others = {digest: answers[digest] for digest in answers.keys() - set(people)}
    by_others, lost = _ask_others(recipe, passages, others, prompts)
    dropped += lost
    known = {**by_people, **by_others}
    said = [known[digest] for digest in passages if digest in known]
    rows = [_row(passages[one.origin], one, prompts) for one in said]
    require_rows(len(rows), dropped, "answers with feedback")
    facts = {
        f"feedback: {HUMAN}": len(by_people),
        f"feedback: {data.annotator}": len(by_others),
        "share of answers judged right": sum(one.is_right for one in said) / len(said),
        CHANGED: sum(_is_changed(one, answers.get(one.origin)) for one in by_people.values()),
        **counts,
    }
    return Made(rows, +dropped, facts=facts), said


def _ask_others(
    recipe: Recipe,
    passages: Mapping[str, PassageQuestion],
    answers: Mapping[str, Attempt],
    prompts: Prompts,
) -> tuple[dict[str, GivenFeedback], Counter[str]]:
    """Let rules or a teacher give feedback; say why some of it cannot be used."""
    if _data(recipe).annotator == "templated":
        return {
            digest: _given(digest, "templated", told.text, templated(passages[digest], told))
            for digest, told in answers.items()
        }, Counter()
    teacher = teacher_of(recipe)
    reads: Mapping[str, Read] = hold(
        teacher,
        {
            digest: partial(annotate, passages[digest], answers[digest], prompts)
            for digest in passages
            if digest in answers
        },
    )
    lost = Counter(str(read["dropped"]) for read in reads.values() if "dropped" in read)
    kept = {digest: read for digest, read in reads.items() if "dropped" not in read}
    told = {
        digest: Feedback(bool(read["is_right"]), str(read["why"]), str(read["right_answer"]))
        for digest, read in kept.items()
    }
    return {
        digest: _given(digest, "ai", answers[digest].text, feedback, teacher.label)
        for digest, feedback in told.items()
    }, lost


def _row(asked: PassageQuestion, told: GivenFeedback, prompts: Prompts) -> Row:
    feedback = Feedback(told.is_right, told.why, told.right_answer)
    return feedback_row(asked, told.model_answer, feedback, prompts, told.origin)


def _given(
    digest: str, annotator: str, said: str, told: Feedback, teacher: str | None = None
) -> GivenFeedback:
    return GivenFeedback(
        origin=digest, annotator=annotator, teacher=teacher, model_answer=said, **told._asdict()
    )


def _said(row: Annotation) -> GivenFeedback:
    feedback = Feedback(row.is_right, row.why, row.right_answer)
    return _given(row.id, row.annotator, one_line(row.model_answer), feedback)


def _is_changed(told: GivenFeedback, now: Attempt | None) -> bool:
    """Say whether the model answers otherwise than when its answer was judged."""
    return now is None or now.text != told.model_answer


def _digest(told: Annotation | None) -> str:
    return doc_hash(msgspec.to_builtins(told)) if told else ""


def _told(rows: Sequence[Row], facts: Facts, long: Mapping[str, int]) -> dict[str, float | None]:
    return {
        "rows": len(rows),
        **{f"dropped: {reason}": number for reason, number in long.items()},
        "loss in the last epoch": facts.recent("loss"),
        **facts.told,
    }


def _data(recipe: Recipe) -> LaffiData:
    assert isinstance(recipe.data, LaffiData)
    return recipe.data


def _passages(recipe: Recipe) -> Passages:
    data = _data(recipe)
    return Passages(context=data.context, question=data.question, answers=data.answers)
