"""Score a model while a Hugging Face or TRL trainer trains it, without disturbing the training."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import extract_model_from_parallel
from accelerate.utils.memory import clear_device_cache
from transformers import PreTrainedTokenizerBase, ProcessorMixin, TrainerCallback

from finetune.sharding import how_sharded
from finetune.undisturbed import undisturbed
from harness import evaluate
from harness.errors import ConfigError, RecordError, printable
from harness.evaluate import check
from harness.loading import require_chat_template
from harness.plan import Plan
from harness.run_files import RECORD, read_run, write_run
from harness.runs import Run
from harness.simulator import MODEL_KEY

log = logging.getLogger(__name__)

CHATTY = "lm_eval.models.huggingface"  # warns of every model object that it is given


@dataclass(eq=False)
class ScoreCallback(TrainerCallback):  # type: ignore[misc]
    """Scores the model that is being trained, every n steps or at each save.

        trainer = SFTTrainer(..., callbacks=[ScoreCallback(["selfcheck-truthfulqa"], Path("runs"))])

    The model is scored as it stands in memory, by the first process, while the others wait. Losses
    and weights are those of a training without it, bit for bit (where training repeats itself at
    all); its wall time is not. A run record is written to `output/step-000100`, and after a resume
    not again.

    What can be known to be wrong is said before the first step. After that nothing that goes wrong
    in scoring ends the training, memory that runs out included: it is an error in the log, and
    counted (`failed`). A task that fails (as on a diverged model) is in the run record, with the
    reason.

    Limits:
        Sharded weights (FSDP, ZeRO-3, tensor parallel) are refused: `selfcheck watch` scores what
        such a training saves, in a process of its own.
        Of several processes the others wait in a barrier: scoring must take less than the
        training's `ddp_timeout` (1800 s by default).
        The model computes as it does in training: under `bf16=True` with autocast, where a saved
        checkpoint is scored in the precision of its weights.
        It takes memory beside gradients and optimiser; `batch_size` may be given.
        Answers are not kept in the cache: the weights have no name. A simulator of another model
        is loaded at the first scoring, and stays.

    Attributes:
        tasks: names, tags or glob patterns.
        output: folder for the runs, new or that of the same training.
        every: steps between scorings; None: at each save.
        subset: documents per task, drawn at random by `subset_seed`; None: all.
        tokenizer: None: the trainer's.
        apply_chat_template: whether the model is asked through its chat template.
        batch_size: as in `selfcheck run`.
        at_start: score before the first step, too, as step 0.
        metadata: as in `harness.plan.Plan`: the simulator, follow-ups, ...
        include_path: further folders of task files.
        failed: why a step has no run, by step.

    Raises:
        ConfigError, DataError, MissingDataError: when it is made, or before the first step.
    """

    tasks: Sequence[str]
    output: Path
    _: KW_ONLY
    every: int | None = None
    subset: int | None = None
    subset_seed: int = 0
    tokenizer: Any = None
    apply_chat_template: bool = False
    batch_size: int | str = "auto"
    at_start: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    include_path: Sequence[str | Path] = ()
    failed: dict[int, str] = field(default_factory=dict, init=False)
    _own_tokenizer: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise ConfigError(f"ScoreCallback: every must be at least 1, got {self.every}")
        self.tasks = [self.tasks] if isinstance(self.tasks, str) else list(self.tasks)
        self.output = Path(self.output)
        check(self._plan(None, {}))

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Refuse what cannot be scored; score the model as it is, if asked to."""
        model, name = given["model"], type(self).__name__
        if (sharded := how_sharded(model, args)) is not None:
            raise ConfigError(
                f"{name}: {sharded}, so that no single process has the model. Score what is saved "
                f"instead: `selfcheck watch {args.output_dir} --tasks {' '.join(self.tasks)} "
                "--base ...`"
            )
        if args.world_size > 1 and str(self.metadata.get(MODEL_KEY)).startswith("hf"):
            raise ConfigError(
                f"{name}: a simulator {self.metadata[MODEL_KEY]!r} beside a training in several "
                "processes would wait for the others: use a server, or `selfcheck watch`"
            )
        self._own_tokenizer = _copy_tokenizer(self.tokenizer or given.get("processing_class"))
        if self.apply_chat_template:
            require_chat_template(self._own_tokenizer.apply_chat_template)
        if state.is_world_process_zero:
            self._check_output(state.global_step)
        if self.at_start and state.global_step == 0:
            self._score(model, args, state)

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Score every so many steps."""
        if self.every is not None and state.global_step % self.every == 0:
            self._score(given["model"], args, state)

    def on_save(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Score at each save."""
        if self.every is None:
            self._score(given["model"], args, state)

    def folder(self, step: int) -> Path:
        """Give the folder of a step's run."""
        return self.output / f"step-{step:06d}"

    def _plan(self, lm: Any, told: Mapping[str, Any]) -> Plan:
        template = self.apply_chat_template
        return Plan(
            model=lm,
            model_args=told,
            tasks=tuple(self.tasks),
            subset=self.subset,
            subset_seed=self.subset_seed,
            batch_size=self.batch_size,
            include_path=tuple(self.include_path),
            metadata=self.metadata,
            options={"apply_chat_template": template, "fewshot_as_multiturn": template or None},
        )

    def _check_output(self, step: int) -> None:
        """Refuse runs of another training, or on other documents."""
        plan = self._plan(None, {})
        for file in sorted(self.output.glob(f"step-*/{RECORD}")):
            if step == 0:
                raise ConfigError(
                    f"ScoreCallback: {self.output} holds runs of another training, and this one "
                    "begins at its first step: give another folder, or remove them"
                )
            try:
                then = read_run(file.parent).record.settings
            except RecordError as err:
                raise ConfigError(f"ScoreCallback: {err}") from err
            seed = None if plan.subset is None else plan.subset_seed
            if (then.tasks, then.subset, then.subset_seed) != (list(plan.tasks), plan.subset, seed):
                raise ConfigError(
                    f"ScoreCallback: {file.parent} was scored on other tasks or another subset "
                    f"({', '.join(then.tasks)}; subset {then.subset}, seed {then.subset_seed}): "
                    "give the same ones, or another folder"
                )

    def _score(self, model: Any, args: Any, state: Any) -> None:
        step = int(state.global_step)
        if state.is_world_process_zero and not (self.folder(step) / RECORD).is_file():
            model = extract_model_from_parallel(model)
            try:
                with undisturbed(model):
                    lm = _as_lm(model, self._own_tokenizer, self.batch_size, _autocast(args))
                    self._write(lm, step)
            except Exception as err:
                self.failed[step] = printable(f"{type(err).__name__}: {err}")
                log.error(
                    "Step %d could not be scored (%d such so far), training goes on: %s",
                    step, len(self.failed), self.failed[step],
                )  # fmt: skip
            clear_device_cache(garbage_collection=True)
        if args.world_size > 1:
            PartialState().wait_for_everyone()

    def _write(self, lm: Any, step: int) -> None:
        told = {"pretrained": str(lm.config.name_or_path), "step": step}
        run = evaluate.run(self._plan(lm, told))
        if run is None:
            raise RuntimeError("lm-eval gave no results: LOCAL_RANK is not 0 in the first process")
        _log_headlines(run, step)
        write_run(run, self.folder(step))


def _copy_tokenizer(given: Any) -> Any:
    """Copy a tokenizer, since lm-eval changes how it pads.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(given, ProcessorMixin):
        given = given.tokenizer
    if not isinstance(given, PreTrainedTokenizerBase):
        raise ConfigError(
            f"ScoreCallback: the trainer has no tokenizer, but a {type(given).__name__}: give the "
            "trainer's processing_class=, or ScoreCallback's tokenizer="
        )
    return copy.deepcopy(given)


def _autocast(args: Any) -> str | None:
    """Say what the trainer has a model compute in; None: in the type of its weights."""
    return "bfloat16" if args.bf16 else "float16" if args.fp16 else None


def _as_lm(model: Any, tokenizer: Any, batch_size: int | str, autocast: str | None) -> Any:
    """Make a model in memory one of lm-eval's."""
    from lm_eval.models.huggingface import HFLM

    chatty = logging.getLogger(CHATTY)
    level = chatty.level
    chatty.setLevel(logging.ERROR)
    model.tie_weights = lambda *_, **__: None  # they are tied, and PEFT's copies must not be
    try:
        return HFLM(
            pretrained=model,
            tokenizer=tokenizer,
            batch_size=batch_size,
            mixed_precision_dtype=autocast,
        )
    finally:
        del model.tie_weights
        chatty.setLevel(level)


def _log_headlines(run: Run, step: int) -> None:
    for name, task in run.record.tasks.items():
        told = task.metrics.get(task.headline or "")
        if task.failed:
            log.warning("Step %d: %s failed: %s", step, name, task.failed)
        elif told is not None and told.value is not None:
            low, high = told.interval.low, told.interval.high
            within = "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
            log.info(
                "Step %d: %s: %s %.3f%s, n %d", step, name, task.headline, told.value, within,
                told.n,
            )  # fmt: skip
