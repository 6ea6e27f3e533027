"""GRATH: the model writes right and wrong answers, and learns to prefer the right ones.

Source: Chen, Song, Li 2024, arXiv:2401.12292. The answers of the data set are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from finetune.asking import model_as_teacher, teacher_of
from finetune.formats import Preference
from finetune.recipe import GrathData, Recipe
from finetune.sources import base_of
from finetune.stages import Documents, Facts, Stage, merge_once, train_once
from finetune.teacher import Read, Teacher, hold, require_rows
from finetune.trainer import Start
from finetune.workspace import Workspace
from finetune.writing.made_rows import Made, describe, make_once
from finetune.writing.pairs import Preferences, pair_prompts, preferences, renew, write_pair


def problem(recipe: Recipe, doc: Mapping[str, Any]) -> str | None:
    """Say what keeps a document from being used, or None."""
    column = recipe.data.question
    if column not in doc:
        return f"data.question: no column {column!r}; there are: {', '.join(sorted(doc))}"
    told = doc[column]
    return None if isinstance(told, str) and told.strip() else f"{column} is no text, or empty"


def train(recipe: Recipe, workspace: Workspace, documents: Documents) -> list[Stage]:
    """Run the rounds: write answers, learn to prefer the right ones.

    Returns:
        A checkpoint for each round.

    Raises:
        ModelError: no pair of answers is left of a round.
        TrainingError: a round diverged, or could not be saved.
    """
    data = recipe.data
    assert isinstance(data, GrathData)
    questions = {
        digest: str(doc[data.question]).strip()
        for digest, doc in zip(documents.kept.hashes, documents.kept.docs, strict=True)
    }
    answers = Answers(recipe, workspace, documents, questions)
    stages: list[Stage] = []
    for number in range(1, data.rounds + 1):
        name = f"round-{number}"
        before = stages[-1].checkpoint if stages else None
        made = answers.write(name, before)
        start = start_of(recipe, before)
        facts = train_once(workspace, name, recipe, start, (made.rows, []))
        stages.append(Stage(name, workspace.checkpoint(name), _told(made, facts)))
    return stages


class Answers:
    """The pairs of answers, round by round; the incorrect ones stay those of the first."""

    def __init__(
        self,
        recipe: Recipe,
        workspace: Workspace,
        documents: Documents,
        questions: Mapping[str, str],
    ) -> None:
        self.recipe, self.workspace = recipe, workspace
        self.documents, self.questions = documents, questions
        self.prompts = pair_prompts()
        self.teachers: list[str] = []
        self.firsts: Mapping[str, Preference] = {}

    def write(self, name: str, checkpoint: Path | None) -> Made:
        """Let the model write the answers of a round, or read them if it has done so.

        Args:
            name: of the round.
            checkpoint: the model as the last round left it; None in the first.

        Raises:
            ModelError: too little could be used.
        """
        model = model_as_teacher(self.recipe, checkpoint) if checkpoint else None
        teacher = model or teacher_of(self.recipe)
        self.teachers.append(teacher.identity())
        known = {"teachers": self.teachers, "question": self.recipe.data.question}
        header = describe(self.recipe, name, self.documents, teacher, self.prompts, known)
        make = self._renew if checkpoint else self._write_pairs
        made = make_once(self.workspace, name, header, lambda: make(teacher))
        if checkpoint is None:
            self.firsts = {row.origin: row for row in made.rows if isinstance(row, Preference)}
        return made

    def _write_pairs(self, teacher: Teacher) -> Made:
        reads = self._ask(teacher, write_pair, self.questions)
        return self._made(preferences(self.questions, reads, None, self.prompts))

    def _renew(self, teacher: Teacher) -> Made:
        """Ask again for the correct answers, where there is a pair."""
        asked = {key: self.questions[key] for key in self.firsts}
        firsts = {
            key: {"correct": row.chosen, "incorrect": row.rejected}
            for key, row in self.firsts.items()
        }
        renewed = self._ask(teacher, renew, asked)
        return self._made(preferences(asked, firsts, renewed, self.prompts))

    def _made(self, told: Preferences) -> Made:
        require_rows(len(told.rows), told.dropped, "pairs of answers")
        return Made(told.rows, told.dropped)

    def _ask(self, teacher: Teacher, ask: Any, questions: Mapping[str, str]) -> Mapping[str, Read]:
        return hold(
            teacher,
            {digest: partial(ask, told, self.prompts) for digest, told in questions.items()},
        )


def start_of(recipe: Recipe, last: Path | None) -> Start:
    """Say where a round starts, and what its reference model is.

    The first round starts from the model as it was, and that is the reference. Later ones, by
    `data.reference`: "pretrained" trains the adapter (or the weights) on, and keeps that reference;
    "current" starts from the model that the last round left, which is the reference.

    Args:
        last: what the last round left; None in the first.
    """
    assert isinstance(recipe.data, GrathData)
    base, revision = base_of(recipe), recipe.model.revision
    if last is None:
        return Start(model=base, revision=revision)
    pretrained, whole = recipe.data.reference == "pretrained", recipe.model.adapter is None
    if pretrained and not whole:
        return Start(model=base, revision=revision, adapter=last, reference=base)
    if whole:
        return Start(model=str(last), revision=revision, reference=base if pretrained else None)
    return Start(model=str(merge_once(recipe, last)))


def _told(made: Made, facts: Facts) -> dict[str, float | None]:
    return {
        "pairs": len(made.rows),
        **made.told,
        "loss in the last epoch": facts.recent("loss"),
        "reward margin in the last epoch": facts.recent("rewards/margins"),
        "reward accuracy in the last epoch": facts.recent("rewards/accuracies"),
        **facts.told,
    }
