"""The command `selfcheck`: subcommands of all packages, and those of the harness."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, SelfcheckError, printable, unknown

log = logging.getLogger("harness")
DEMO_DOCUMENTS = 10
_ELSEWHERE = "run lm_eval itself, after `selfcheck link`"
WITHOUT_EFFECT = {
    **dict.fromkeys(("--samples", "-E"), "draw documents with --subset and --subset-seed"),
    **dict.fromkeys(("--check_integrity", "--show_config", "--hf_hub_log_args"), _ELSEWHERE),
    **dict.fromkeys(("--wandb_args", "--wandb_config_args", "--trackio_args"), _ELSEWHERE),
    **dict.fromkeys(("--verbosity", "--max_batch_size"), _ELSEWHERE),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 if all went well, 1 for an error, 2 for a wrong command line."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    parser = argparse.ArgumentParser(
        prog="selfcheck",
        description="Does a language model behave as its own explanations say, and is it truthful?",
        epilog="example: selfcheck demo",
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for entry in sorted(entry_points(group="selfcheck.commands"), key=lambda entry: entry.name):
        entry.load()(subparsers)
    args, rest = parser.parse_known_args(argv)
    if rest and not getattr(args, "passes_on", False):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    try:
        return int(args.execute(args, rest))
    except SelfcheckError as err:
        print(f"selfcheck: {printable(str(err))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("selfcheck: interrupted; what was answered is kept", file=sys.stderr)
        return 130


def register(subparsers: Any) -> None:
    """Add the harness's subcommands."""
    _add(subparsers, "run", run, "evaluate a model", RUN_EPILOG, _run_options).set_defaults(
        passes_on=True
    )
    _add(
        subparsers,
        "demo",
        demo,
        "evaluate a small real model on the samples",
        DEMO_EPILOG,
        _output_option,
    )
    _add(
        subparsers,
        "demo-model",
        demo_model,
        "fetch that model; prints its folder",
        DEMO_MODEL_EPILOG,
    )
    _add(subparsers, "tasks", tasks, "list the tasks", TASKS_EPILOG, _tasks_options)
    _add(subparsers, "link", link, "let plain lm_eval find the tasks", LINK_EPILOG, _link_options)


RUN_EPILOG = """\
example:
  selfcheck run --model hf --model-args pretrained=Qwen/Qwen2.5-0.5B-Instruct \\
      --apply_chat_template --tasks selfcheck_importance_imdb,selfcheck-truthfulqa \\
      --subset 100 --output runs/qwen

Other options of `lm_eval run` are taken too (--apply_chat_template, --gen_kwargs,
--system_instruction, --limit, --use_cache, --seed, ...). Answers are kept in a cache under the
model's fingerprint (SELFCHECK_CACHE=off turns it off): a killed run goes on where it was."""
DEMO_EPILOG = "example:\n  selfcheck demo"
DEMO_MODEL_EPILOG = (
    "example:\n  lm_eval --model hf --model_args pretrained=$(selfcheck demo-model | tail -1) ..."
)
TASKS_EPILOG = """\
example:
  selfcheck tasks
  lm_eval --include_path "$(selfcheck tasks --path)" --tasks selfcheck-sample ..."""
LINK_EPILOG = (
    "example:\n  selfcheck link && lm_eval --tasks 'selfcheck_*' ...\n  selfcheck link --remove"
)


def _add(
    subparsers: Any, name: str, execute: Any, summary: str, epilog: str, options: Any = None
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if options:
        options(parser)
    parser.set_defaults(execute=execute)
    return parser


def _option(parser: argparse.ArgumentParser, name: str, *more: str, **settings: Any) -> None:
    spellings = {f"--{name}", f"--{name.replace('-', '_')}", *more}
    parser.add_argument(*sorted(spellings), dest=name.replace("-", "_"), **settings)


def _run_options(parser: argparse.ArgumentParser) -> None:
    _option(parser, "model", default="hf", help="lm-eval backend (hf, vllm, ...), or planted")
    _option(parser, "model-args", nargs="+", default=[], metavar="ARG", help="key=value,key=value")
    _option(parser, "tasks", nargs="+", required=True, metavar="TASK", help="names, tags, patterns")
    _option(parser, "subset", type=int, metavar="N", help="a random N documents per task")
    _option(parser, "subset-seed", type=int, default=0, metavar="S", help="draws other documents")
    _option(parser, "variants", metavar="all|AXES", help="run persona, mask and target variants")
    _option(parser, "batch-size", default="auto", metavar="auto|N", help="auto: settled once")
    _option(parser, "device", help="cuda:0, cpu, mps, ...")
    _option(parser, "skip-unavailable", action="store_true", help="leave out tasks without data")
    _output_option(parser)


def _output_option(parser: argparse.ArgumentParser) -> None:
    _option(
        parser, "output", "--output_path", type=Path, metavar="DIR", help="new folder for the run"
    )


def _tasks_options(parser: argparse.ArgumentParser) -> None:
    _option(parser, "path", action="store_true", help="print the folder of the task files")
    _option(parser, "check", action="store_true", help="build every task; exit status 1 on a fault")


def _link_options(parser: argparse.ArgumentParser) -> None:
    _option(parser, "remove", action="store_true", help="undo")


def run(args: argparse.Namespace, rest: list[str]) -> int:
    """Evaluate a model on tasks and write the run."""
    from harness.evaluate import Plan

    folder = args.output or _default_folder(args.model)
    config = _lm_eval_config(args, rest, folder)
    passed_on = [
        "num_fewshot",
        "limit",
        "use_cache",
        "write_out",
        "predict_only",
        "system_instruction",
        "apply_chat_template",
        "fewshot_as_multiturn",
        "gen_kwargs",
        "confirm_run_unsafe_code",
    ]
    seeds = ("random_seed", "numpy_random_seed", "torch_random_seed", "fewshot_random_seed")
    plan = Plan(
        model=config.model,
        model_args=config.model_args,
        tasks=tuple(config.tasks),
        subset=args.subset,
        subset_seed=args.subset_seed,
        skip_unavailable=args.skip_unavailable,
        batch_size=config.batch_size,
        device=config.device,
        include_path=(config.include_path,) if config.include_path else (),
        variants=_axes(args.variants),
        metadata=config.metadata,
        options={
            **{name: getattr(config, name) for name in passed_on},
            **dict(zip(seeds, config.seed or [None] * 4, strict=True)),
        },
    )
    return _run_and_show(plan, folder)


def _axes(told: str | None) -> frozenset[str]:
    from harness.tasks import AXES

    axes = set(AXES) if told == "all" else set(filter(None, (told or "").split(",")))
    for axis in axes - set(AXES):
        raise ConfigError(unknown("axis of --variants", axis, ["all", *AXES]))
    return frozenset(axes)


def demo(args: argparse.Namespace, rest: list[str]) -> int:
    """Evaluate the demonstration model on a fixed draw of the samples."""
    from harness.evaluate import Plan
    from harness.models import demo_model as fetch

    folder = args.output or _default_folder("demo")
    plan = Plan(
        model="hf",
        model_args={"pretrained": str(fetch()), "dtype": "float32"},
        tasks=("selfcheck-sample",),
        subset=DEMO_DOCUMENTS,
        options={"apply_chat_template": True, "fewshot_as_multiturn": True},
    )
    return _run_and_show(plan, folder)


def demo_model(args: argparse.Namespace, rest: list[str]) -> int:
    """Fetch the demonstration model; its folder is the last line."""
    from harness.models import demo_model as fetch

    print(fetch())
    return 0


def tasks(args: argparse.Namespace, rest: list[str]) -> int:
    """List the tasks, print their folder, or check them."""
    from harness.data import tasks_path

    if args.path:
        print(tasks_path())
        return 0
    from harness.selection import build_manager

    manager, faults = build_manager(), 0
    for name in manager.all_subtasks:
        entry = manager.task_index[name]
        line = f"{name:40} {', '.join(sorted(entry.tags))}"
        if args.check:
            try:
                line = f"{name:40} ok, version {manager.load(name)['tasks'][name].VERSION}"
            except SelfcheckError as err:
                line, faults = f"{name:40} {err}", faults + 1
        print(line)
    if args.check:
        faults += _check_files(manager)
    return int(faults > 0)


def link(args: argparse.Namespace, rest: list[str]) -> int:
    """Copy the task files into the imported lm-eval, or remove them."""
    from harness import linking

    if args.remove:
        print("removed" if linking.unlink() else "there was nothing to remove")
    else:
        print(linking.link())
    return 0


def _check_files(manager: Any) -> int:
    """Find task files that lm-eval's index left out without a word, and a stale link."""
    from harness import linking
    from harness.data import tasks_path

    known = {entry.yaml_path for entry in manager.task_index.values()}
    lost = [
        path
        for path in linking.task_files(tasks_path())
        if not path.name.startswith("_") and tasks_path() / path not in known
    ]
    for path in lost:
        print(f"{tasks_path() / path}: does not parse as a task file")
    if linking.is_stale():
        print(f"{linking.link_folder()} is from another version; run `selfcheck link` again")
    return len(lost) + linking.is_stale()


def _lm_eval_config(args: argparse.Namespace, rest: list[str], folder: Path) -> Any:
    """Let lm-eval read the options that are its own, ours included, by its own rules."""
    from lm_eval._cli.run import Run
    from lm_eval.config.evaluate_config import EvaluatorConfig

    parser = argparse.ArgumentParser(prog="selfcheck")
    run_parser = Run(parser.add_subparsers())._parser
    rest = [_with_underscores(word) for word in rest]
    known = run_parser._option_string_actions
    for word in rest:
        name = word.split("=")[0]
        if word.startswith("-") and name in WITHOUT_EFFECT:
            raise ConfigError(f"{name} has no effect in selfcheck run: {WITHOUT_EFFECT[name]}")
        if word.startswith("--") and name not in known:
            raise ConfigError(unknown("option of selfcheck run", name, known))
    line = ["run", "--model", args.model, "--batch_size", args.batch_size, "--tasks", *args.tasks]
    line += ["--output_path", str(folder)] + (["--device", args.device] if args.device else [])
    line += (["--model_args", *args.model_args] if args.model_args else []) + rest
    parsed = parser.parse_args(line)
    try:
        config = EvaluatorConfig.from_cli(parsed)
    except (ValueError, TypeError, OSError) as err:
        raise ConfigError(str(err)) from err
    config.tasks = [name for words in config.tasks for name in words.split(",")]
    return config


def _with_underscores(word: str) -> str:
    if not word.startswith("--"):
        return word
    name, equals, value = word[2:].partition("=")
    return f"--{name.replace('-', '_')}{equals}{value}"


def _run_and_show(plan: Any, folder: Path) -> int:
    from harness import evaluate, runs
    from harness.report import print_run

    runs.check_absent(folder)
    done = evaluate.run(plan)
    if done is None:
        return 0
    runs.write_run(done, folder)
    print_run(done)
    print(f"\nThe whole run, every question and answer: {folder.resolve()}")
    return 1 if done.failed else 0


def _default_folder(name: str) -> Path:
    return Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{name}"


if __name__ == "__main__":
    sys.exit(main())
