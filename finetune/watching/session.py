"""What `selfcheck watch` does: what can be known to be wrong is said first, then it watches."""

from __future__ import annotations

import argparse
import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from filelock import FileLock, Timeout

from finetune.checkpoints import fault
from finetune.watching.scorer import Scorer
from finetune.watching.state import LOCK, open_state, save
from finetune.watching.watcher import BASE, Watcher
from harness.commands.engines import engine
from harness.commands.options import simulator_metadata
from harness.errors import ConfigError
from harness.evaluate import check
from harness.plan import Plan
from harness.run_files import RECORD, read_run

log = logging.getLogger(__name__)

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
OURS = ("pretrained", "peft")
Update = Callable[[Mapping[str, Path]], None]


def run(args: argparse.Namespace, update: Update) -> int:
    """Watch a folder as the options say; 1 if a checkpoint of `--once` could not be scored.

    Args:
        update: is given all runs by name after each.
    """
    _check_numbers(args)
    model_args = _model_args(args)
    tasks = check(_plan(args))
    base_run = _base_run(args, list(tasks))
    settings = {
        "folder": str(args.folder.resolve()), "tasks": sorted(tasks), "subset": args.subset,
        "subset_seed": args.subset_seed, "apply_chat_template": args.apply_chat_template,
        "base": str(base_run or _place(args.base)), "model_args": model_args,
        "metadata": _metadata(args),
    }  # fmt: skip
    output = args.output.resolve()
    with _locked(output), _ended_by_signals() as stop, engine(args, stop.is_set):
        state = open_state(output, settings)
        save(state, output)
        scorer = Scorer(args, model_args, stop.is_set)
        watcher = Watcher(
            folder=args.folder.resolve(),
            output=output,
            score=scorer.checkpoint,
            update=update,
            base=base_run or output / "runs" / BASE,
            settle=args.settle,
            state=state,
            sleep=lambda seconds: _sleep(stop, seconds),
        )
        try:
            if not base_run:
                scorer.base(_place(args.base), output, state)
            watcher.watch_once() if args.once else watcher.watch(args.every)
        except KeyboardInterrupt:
            if args.once:
                raise
            log.info("Stopped; what is scored is kept in %s: the same command goes on", output)
            return 0
    return 1 if watcher.failed else 0


def _sleep(stop: Event, seconds: float) -> None:
    if stop.wait(seconds):
        raise KeyboardInterrupt


def _check_numbers(args: argparse.Namespace) -> None:
    if args.every <= 0:
        raise ConfigError(f"--every must be more than 0 seconds, got {args.every:g}")
    if args.settle < 0:
        raise ConfigError(f"--settle must be 0 seconds or more, got {args.settle:g}")
    if args.once and not args.folder.is_dir():
        raise ConfigError(f"{args.folder}: there is no such folder; without --once it is awaited")


def _model_args(args: argparse.Namespace) -> dict[str, Any]:
    from lm_eval.utils import simple_parse_args_string

    try:
        told: dict[str, Any] = simple_parse_args_string(",".join(args.model_args))
    except ValueError as err:
        raise ConfigError(f"--model-args: {err}; give key=value,key=value") from err
    for name in OURS:
        if name in told:
            raise ConfigError(f"--model-args: {name} is what is watched; leave it out")
    if args.dtype is not None:
        if told.get("dtype", args.dtype) != args.dtype:
            raise ConfigError("--model-args and --dtype disagree on dtype")
        told["dtype"] = args.dtype
    return told


def _metadata(args: argparse.Namespace) -> dict[str, Any]:
    told = {"follow_ups": args.follow_ups, "follow_up_count": args.follow_up_count}
    return {**{k: v for k, v in told.items() if v is not None}, **simulator_metadata(args)}


def _plan(args: argparse.Namespace) -> Plan:
    args.tasks = [name for words in args.tasks for name in words.split(",") if name]
    return Plan(
        model="hf",
        tasks=tuple(args.tasks),
        subset=args.subset,
        subset_seed=args.subset_seed,
        include_path=(args.include_path.resolve(),) if args.include_path else (),
        metadata=_metadata(args),
        options={"apply_chat_template": args.apply_chat_template},
    )


def _place(name: str) -> str:
    """Give a folder's whole path, or a name on the hub as it is."""
    folder = Path(name).expanduser()
    return str(folder.resolve()) if folder.exists() else name


def _base_run(args: argparse.Namespace, tasks: list[str]) -> Path | None:
    """Give the base's run, if `--base` is one; None: it is a model, which nothing speaks against.

    Raises:
        ConfigError: the run is of other tasks or documents, or the model's folder is not whole.
        RecordError: the run is damaged.
    """
    folder = Path(_place(args.base))
    if not (folder / RECORD).is_file():
        looks_local = args.base.startswith((".", "/", "~")) or args.base.count("/") > 1
        reason = fault(folder) if folder.is_dir() or looks_local else None
        if reason:
            raise ConfigError(f"--base {args.base}: is no run, and cannot be loaded: {reason}")
        return None
    record = read_run(folder).record
    lacking = [task for task in tasks if task not in record.tasks]
    seed = None if args.subset is None else args.subset_seed
    then = record.settings
    if lacking or (then.subset, then.subset_seed) != (args.subset, seed) or then.limit is not None:
        what = f"lacks {', '.join(lacking)}" if lacking else "was scored on other documents"
        raise ConfigError(
            f"--base {args.base}: the run {what} (subset {then.subset}, seed {then.subset_seed}, "
            f"limit {then.limit}); give the base's model, or the same --tasks and --subset"
        )
    if bool(then.apply_chat_template) != args.apply_chat_template:
        log.warning("The base was scored %s a chat template, checkpoints are scored %s", *(
            "with" if with_it else "without"
            for with_it in (then.apply_chat_template, args.apply_chat_template)
        ))  # fmt: skip
    return folder


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Have the folder for this process.

    Raises:
        ConfigError: another watch has it, or it cannot be written, now or later.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        with FileLock(output / LOCK, timeout=0):
            yield
    except Timeout as err:
        raise ConfigError(f"--output {output}: another selfcheck watch works in it") from err
    except OSError as err:
        raise ConfigError(f"the watch cannot go on: {err}; what is scored is kept") from err


@contextmanager
def _ended_by_signals() -> Iterator[Event]:
    """Set an event when this is to end: what is at work ends at its next good place."""
    stop = Event()
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, lambda *_: stop.set())
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
