"""Subcommands that evaluate a model: run, demo, demo-model."""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

from harness.commands.engines import add_engine, engine
from harness.commands.options import (
    add_command,
    add_option,
    add_output,
    add_pickles,
    add_simulator,
    simulator_metadata,
)
from harness.commands.servers import add_limits, read_limits
from harness.errors import ConfigError, unknown

DEMO_DOCUMENTS = 10
DEMO_TASKS = tuple(
    f"sample_{check}_*"
    for check in ("consistency", "counterfactual", "importance", "redaction", "truthfulness")
)
"""The checks; plain questions (`sample_qa`, `sample_reasoning_*`) are there for recipes."""
_ELSEWHERE = "run lm_eval itself, after `selfcheck link`"
WITHOUT_EFFECT = {
    **dict.fromkeys(("--samples", "-E"), "draw documents with --subset and --subset-seed"),
    **dict.fromkeys(("--check_integrity", "--show_config", "--hf_hub_log_args"), _ELSEWHERE),
    **dict.fromkeys(("--wandb_args", "--wandb_config_args", "--trackio_args"), _ELSEWHERE),
    **dict.fromkeys(("--verbosity", "--max_batch_size"), _ELSEWHERE),
}


def register(subparsers: Any) -> None:
    """Add the subcommands."""
    add_command(subparsers, "run", run, "evaluate a model", RUN_EPILOG, _run_options).set_defaults(
        passes_on=True
    )
    add_command(
        subparsers,
        "demo",
        demo,
        "evaluate a small real model on the samples",
        DEMO_EPILOG,
        add_output,
    )
    add_command(
        subparsers,
        "demo-model",
        demo_model,
        "fetch that model; prints its folder",
        DEMO_MODEL_EPILOG,
    )


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


def _run_options(parser: argparse.ArgumentParser) -> None:
    add_option(parser, "model", default="hf", help="lm-eval backend (hf, vllm, ...), or planted")
    add_option(
        parser, "model-args", nargs="+", default=[], metavar="ARG", help="key=value,key=value"
    )
    add_option(
        parser, "tasks", nargs="+", required=True, metavar="TASK", help="names, tags, patterns"
    )
    add_option(parser, "subset", type=int, metavar="N", help="a random N documents per task")
    add_option(
        parser, "subset-seed", type=int, default=0, metavar="S", help="draws other documents"
    )
    add_option(parser, "variants", metavar="all|AXES", help="run persona, mask and target variants")
    add_simulator(parser)
    add_option(parser, "follow-ups", metavar="FILE", help="frozen ones (selfcheck follow-ups)")
    add_option(parser, "follow-up-count", type=int, metavar="N", help="how many to write")
    add_option(parser, "batch-size", default="auto", metavar="auto|N", help="auto: settled once")
    add_option(parser, "device", help="cuda:0, cpu, mps, ...")
    add_option(parser, "skip-unavailable", action="store_true", help="leave out tasks without data")
    add_limits(parser)
    add_pickles(parser)
    add_output(parser)
    add_engine(parser)


def run(args: argparse.Namespace, rest: list[str]) -> int:
    """Evaluate a model on tasks and write the run."""
    from harness.plan import Plan

    folder = args.output or default_folder(args.model)
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
        skip_unscorable=args.skip_unscorable,
        limits=read_limits(args),
        batch_size=config.batch_size,
        device=config.device,
        include_path=(Path(config.include_path).resolve(),) if config.include_path else (),
        variants=_axes(args.variants),
        metadata=_metadata(args, config),
        options={
            **{name: getattr(config, name) for name in passed_on},
            **dict(zip(seeds, config.seed or [None] * 4, strict=True)),
        },
    )
    with engine(args):
        return _run_and_show(plan, folder)


def _metadata(args: argparse.Namespace, config: Any) -> dict[str, Any]:
    told = {"follow_ups": args.follow_ups, "follow_up_count": args.follow_up_count}
    told = {key: value for key, value in told.items() if value is not None}
    told |= simulator_metadata(args)
    own = _own_metadata(config)
    twice = [key for key in told if own.get(key, told[key]) != told[key]]
    if twice:
        raise ConfigError(f"--metadata and the options disagree on {', '.join(twice)}")
    return {**own, **told}


def _own_metadata(config: Any) -> dict[str, Any]:
    """Take out of the metadata the model's arguments, which lm-eval merges into it."""
    args = config.model_args or {}
    told = config.metadata or {}
    return {key: value for key, value in told.items() if key not in args or args[key] != value}


def _axes(told: str | None) -> frozenset[str]:
    from harness.tasks import AXES

    axes = set(AXES) if told == "all" else set(filter(None, (told or "").split(",")))
    for axis in axes - set(AXES):
        raise ConfigError(unknown("axis of --variants", axis, ["all", *AXES]))
    return frozenset(axes)


def demo(args: argparse.Namespace, rest: list[str]) -> int:
    """Evaluate the demonstration model on a fixed draw of the samples."""
    from harness.models import demo_model as fetch
    from harness.plan import Plan

    folder = args.output or default_folder("demo")
    plan = Plan(
        model="hf",
        model_args={"pretrained": str(fetch()), "dtype": "float32"},
        tasks=DEMO_TASKS,
        subset=DEMO_DOCUMENTS,
        options={"apply_chat_template": True, "fewshot_as_multiturn": True},
    )
    return _run_and_show(plan, folder)


def demo_model(args: argparse.Namespace, rest: list[str]) -> int:
    """Fetch the demonstration model; its folder is the last line."""
    from harness.models import demo_model as fetch

    print(fetch())
    return 0


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
    from harness.cluster.current import measured
    from harness.report import print_run
    from harness.run_files import claimed_run, write_run

    first = os.environ.get("RANK", "0") == "0"
    claim = claimed_run(folder) if first else nullcontext()  # before hours are spent on it
    with claim, measured(plan, folder) as done:
        if done is None:
            return 0
        write_run(done, folder)
    print_run(done)
    print(f"\nThe whole run, every question and answer: {folder.resolve()}")
    return 1 if done.failed else 0


def default_folder(name: str) -> Path:
    """Give a new folder's name, from the time: a clock may tell the same twice."""
    from harness.run_files import lock_of

    named = Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    others = (named.with_name(f"{named.name}-{number}") for number in count(2))
    return next(
        one for one in chain([named], others) if not (one.exists() or lock_of(one).exists())
    )
