"""A recipe: what is trained on what, how, and what it is scored on."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from finetune.strict import Rule
from harness.data import DataRef

DEMO_MODEL = "demo-model"
"""The name of the demonstration model in a recipe."""


def _distinct(values: Sequence[Any]) -> bool:
    return len(set(values)) == len(values)


Text: TypeAlias = Annotated[str, Rule(lambda t: bool(t.strip()), "text that is not empty")]
Count: TypeAlias = Annotated[int, Rule(lambda n: n >= 1, "a whole number above 0")]
Seed: TypeAlias = Annotated[
    int, Rule(lambda n: 0 <= n < 2**32, "a whole number from 0 to 4294967295")
]
Share: TypeAlias = Annotated[float, Rule(lambda x: 0 <= x < 1, "a number from 0 to below 1")]
DevShare: TypeAlias = Annotated[
    float, Rule(lambda x: 0 < x < 0.5, "a number above 0 and below 0.5")
]
FollowUps: TypeAlias = Annotated[int, Rule(lambda n: 1 <= n <= 100, "a whole number from 1 to 100")]
Fraction: TypeAlias = Annotated[float, Rule(lambda x: 0 <= x <= 1, "a number from 0 to 1")]
Alpha: TypeAlias = Annotated[float, Rule(lambda x: 0 < x < 1, "a number above 0 and below 1")]
Rate: TypeAlias = Annotated[float, Rule(lambda x: x > 0, "a number above 0")]
Rates: TypeAlias = Annotated[
    Sequence[Rate], Rule(lambda r: r and _distinct(r), "a list of different numbers above 0")
]
Names: TypeAlias = Annotated[
    Sequence[Text], Rule(lambda n: n and _distinct(n), "a list of different names, one or more")
]
MaybeNames: TypeAlias = Annotated[Sequence[Text], Rule(_distinct, "a list of different names")]
Targets: TypeAlias = Annotated[
    Sequence[Text],
    Rule(  # trl takes log-probabilities from the weights of lm_head, and would pass an adapter by
        lambda n: n and _distinct(n) and not any(name.split(".")[-1] == "lm_head" for name in n),
        "a list of different names of modules, one or more, without lm_head",
    ),
]
"""What fields may hold; `finetune.reading.recipe_file` holds recipes to it."""


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A LoRA adapter (`peft.LoraConfig`).

    Attributes:
        r: rank.
        alpha: scale; the update counts alpha / r.
        dropout: on the adapter's input; DPO has none unless `trainer.disable_dropout` is false.
        targets: names of modules, or "all-linear": every linear layer but the output.
    """

    r: Count = 8
    alpha: Count = 16
    dropout: Share = 0.0
    targets: Text | Targets = "all-linear"


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """Random weights: a model that knows nothing yet.

    Attributes:
        type: transformers' name of the architecture ("t5", "llama", ...).
        config: arguments of its configuration class; the size of the vocabulary and the special
            tokens are the tokenizer's.
        seed: of the weights.
    """

    type: Text
    config: Mapping[str, Any] = field(default_factory=dict)
    seed: Seed = 0


Architecture: TypeAlias = Literal["causal", "seq2seq"]


@dataclass(frozen=True, kw_only=True)
class Model:
    """What is trained.

    Attributes:
        name: on the hub, a folder, or "demo-model"; with `scratch` its tokenizer alone is taken.
        revision: on the hub.
        architecture: "causal" (decoder only) or "seq2seq" (encoder and decoder: T5, BART).
        scratch: random weights instead of those of `name`.
        dtype: of the weights; "auto": bfloat16 where the device computes in it, else float32.
        chat_template: whether it is trained and scored through its chat template.
        adapter: a LoRA adapter; null: all weights are trained.
        merge: save the model with the adapter merged into it, too.
    """

    name: Text
    revision: Text = "main"
    architecture: Architecture = "causal"
    scratch: Scratch | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    chat_template: bool
    adapter: Adapter | None = field(default_factory=Adapter)
    merge: bool = False


Name: TypeAlias = Literal["grath", "ec_sft", "laffi", "distill"]
"""The name of a method (`finetune.methods`)."""


@dataclass(frozen=True)
class Trainings:
    """The trainings that a recipe leads to.

    Attributes:
        what: for people.
        times: how many of them.
        rows: of one of them, at most: answers that cannot be used are dropped.
    """

    what: str
    times: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Data(ABC):
    """The documents that training sets are made from.

    Attributes:
        questions: name of the data set, as in task files (`harness.data`).
        config, split, revision: of the data set.
        subset: how many documents, drawn at random by `subset_seed`; null: all.
        question: its column of questions.
    """

    questions: Text
    config: Text | None = None
    split: Text = "train"
    revision: Text = "main"
    subset: Count | None = None
    subset_seed: Seed = 0
    question: Text = "question"

    @property
    def ref(self) -> DataRef:
        """The split."""
        return DataRef(self.questions, self.split, self.config, self.revision)

    @property
    def asks_teacher(self) -> bool:
        """Whether the teacher writes anything."""
        return True

    @property
    def compared(self) -> tuple[str, ...]:
        """The columns of text that the leak guard compares with what is scored."""
        return (self.question,)

    @abstractmethod
    def trainings(self, documents: int) -> Trainings:
        """Count what is trained on so many documents."""


@dataclass(frozen=True, kw_only=True)
class GrathData(Data):
    """Of GRATH.

    Attributes:
        rounds: of writing answers and training on them.
        reference: DPO's reference model in later rounds: "pretrained" (the model as it was; the
            adapter is trained on) or "current" (what the round began with; merged, and a new
            adapter on top).
    """

    rounds: Count = 2
    reference: Literal["pretrained", "current"] = "pretrained"

    def trainings(self, documents: int) -> Trainings:
        """Count the rounds; of each document a pair."""
        return Trainings("rounds", self.rounds, documents)


@dataclass(frozen=True, kw_only=True)
class PosedData(Data):
    """Questions that stand on their own.

    Attributes:
        kind: of the questions: "yes_no" or "options" (`harness.domains.QUESTIONS`).
        columns: of the data set, as that kind takes them; null: its own defaults.
    """

    kind: Literal["yes_no", "options"]
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EcSftData(PosedData):
    """Of explanation-consistency finetuning.

    Attributes:
        explanation: column of explanations; null: the teacher writes them, and those whose answer
            is wrong are dropped.
        follow_ups: how many the teacher is asked to write to each question.
        dev: share of the questions whose rows are kept for choosing the learning rate and for
            early stopping.
        learning_rates: tried in turn; that of the lowest dev loss is taken.
    """

    explanation: Text | None = None
    follow_ups: FollowUps = 10
    dev: DevShare = 0.1
    learning_rates: Rates = (1e-5, 3e-5, 1e-4)

    def trainings(self, documents: int) -> Trainings:
        """Count the learning rates; of each document not kept for the dev loss all its rows."""
        rows = math.ceil(documents * (1 - self.dev)) * (1 + self.follow_ups)
        return Trainings("learning rates", len(self.learning_rates), rows)


@dataclass(frozen=True, kw_only=True)
class LaffiData(Data):
    """Of learning from feedback (LaFFi): questions over a passage.

    Attributes:
        context: column of passages.
        answers: column of right answers, as in SQuAD: {"text": [...]}, empty if there is none.
        annotations: file of feedback by people (`selfcheck annotate`).
        human_fraction: share of the documents whose feedback is theirs, drawn by `subset_seed`
            (never by the recipe's `seed`, which sweeps change); a larger share has the documents
            of a smaller one, too.
        annotator: of the rest: "ai" (the teacher, which sees the right answers) or "templated"
            (rules).
    """

    context: Text = "context"
    answers: Text = "answers"
    annotations: Text | None = None
    human_fraction: Fraction = 0.0
    annotator: Literal["ai", "templated"] = "ai"

    @property
    def asks_teacher(self) -> bool:
        """Whether the teacher writes anything."""
        return self.annotator == "ai" and self.human_fraction < 1

    @property
    def compared(self) -> tuple[str, ...]:
        """Question and passage."""
        return (self.question, self.context)

    def trainings(self, documents: int) -> Trainings:
        """Count plain finetuning and LaFFi; of each document a row."""
        return Trainings("methods (plain SFT and LaFFi)", 2, documents)


Objective: TypeAlias = Literal["mt_re", "mt_ra", "mt_cot"]
Objectives: TypeAlias = Annotated[
    Sequence[Objective],
    Rule(lambda o: o and _distinct(o), "a list of different ones of mt_re, mt_ra, mt_cot"),
]
Control: TypeAlias = Literal["answer_only", "shuffled"]
Controls: TypeAlias = Annotated[
    Sequence[Control], Rule(_distinct, "a list of different ones of answer_only, shuffled")
]


@dataclass(frozen=True, kw_only=True)
class DistillData(PosedData):
    """Of explanation distillation.

    Attributes:
        explanations: who explains, and how: "cote" (the teacher thinks step by step; kept only if
            its answer is right), "rp" (it gives reasons for the right answer), "crop" (the first,
            or else the second), "given" (the data set has them).
        explanation: column of those that are given.
        teacher_answer: column of the answer, as in the column of right answers, of whoever gave
            them: those of wrong answers are dropped; null: all are taken.
        objectives: "mt_re" (answer; explanation), "mt_ra" (answer; answer because explanation),
            "mt_cot" (answer; explanation, so the answer is); a training each, the last one is the
            result.
        controls: "answer_only" (no explanation), "shuffled" (the last objective with explanations
            of other questions); a training each.
        alpha: weight of the loss on the answer; that on the explanation has 1 - alpha.
    """

    explanations: Literal["cote", "rp", "crop", "given"] = "crop"
    explanation: Text | None = None
    teacher_answer: Text | None = None
    objectives: Objectives = ("mt_cot",)
    controls: Controls = ("answer_only", "shuffled")
    alpha: Alpha = 0.5

    @property
    def asks_teacher(self) -> bool:
        """Whether the teacher writes anything."""
        return self.explanations != "given"

    def trainings(self, documents: int) -> Trainings:
        """Count objectives and controls; of each document a row."""
        return Trainings(
            "objectives and controls", len(self.objectives) + len(self.controls), documents
        )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A model that is asked, not trained.

    Attributes:
        model: lm-eval's name of a backend (hf, vllm, local-chat-completions, ...).
        args: the backend's arguments.
        chat_template: whether it is asked through its chat template.
    """

    model: Text = "hf"
    args: Mapping[str, Any] = field(default_factory=dict)
    chat_template: bool = False


@dataclass(frozen=True, kw_only=True)
class Score:
    """What base and checkpoints are scored on, and compared by.

    Attributes:
        tasks: what the method claims to improve: names, tags, patterns.
        retention: what it may break.
        subset: documents per task, drawn at random by `subset_seed`; null: all.
        simulator: of tasks of explanation consistency; null: the model as it was before training.
        follow_up_count: of these tasks.
        batch_size: as in `selfcheck run`.
    """

    tasks: Names
    retention: MaybeNames = ("selfcheck-retention",)
    subset: Count | None = None
    subset_seed: Seed = 0
    simulator: Asked | None = None
    follow_up_count: FollowUps | None = None
    batch_size: Count | Literal["auto"] = "auto"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A recipe, checked.

    Attributes:
        method: one of `finetune.methods.METHODS`.
        seed: of everything that is drawn at random.
        teacher: who writes the training set; null: the model itself, as it is at the time.
        trainer: arguments of the trainer's config class (`finetune.methods.Method.configs`).
    """

    method: Name
    seed: Seed = 0
    model: Model
    data: Data
    teacher: Asked | None = None
    trainer: Mapping[str, Any] = field(default_factory=dict)
    score: Score
