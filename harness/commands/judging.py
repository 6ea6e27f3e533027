"""Subcommands that judge runs: import, compare, gate."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.commands.options import add_command, add_option
from harness.errors import ConfigError

IMPORT_EPILOG = """\
example:
  lm_eval --model hf ... --output_path out --log_samples
  selfcheck import out --output runs/imported

What lm-eval's files do not tell (fingerprint of the model, command line) is marked unknown."""
COMPARE_EPILOG = """\
example:
  selfcheck compare runs/base runs/finetuned
  selfcheck compare runs/base runs/finetuned --tasks 'selfcheck_*' --format csv > change.csv"""
GATE_EPILOG = """\
example:
  selfcheck gate --baseline runs/released --candidate runs/new --config gate.yaml --junit gate.xml

exit status: 0 pass, 3 fail, 4 inconclusive, 5 not comparable (1: an error, 2: the command line)"""


def register(subparsers: Any) -> None:
    """Add the subcommands."""
    summary = "make a run of what plain lm_eval wrote"
    add_command(subparsers, "import", import_run, summary, IMPORT_EPILOG, _import_options)
    summary = "compare two runs, document by document"
    add_command(subparsers, "compare", compare, summary, COMPARE_EPILOG, _compare_options)
    summary = "say whether a candidate may ship: no metric fell by more than its margin"
    add_command(subparsers, "gate", gate, summary, GATE_EPILOG, _gate_options)


def _import_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", type=Path, metavar="DIR", help="lm-eval's --output_path")
    add_option(parser, "output", type=Path, metavar="DIR", help="new folder for the run")


def _compare_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("base", type=Path, metavar="BASE", help="folder of a run")
    parser.add_argument("candidate", type=Path, metavar="CANDIDATE", help="folder of another")
    add_option(parser, "tasks", nargs="+", default=["*"], metavar="TASK", help="names, patterns")
    add_option(parser, "format", choices=["text", "csv", "json"], default="text")
    add_option(parser, "flips", type=int, default=5, metavar="N", help="documents to list per task")


def _gate_options(parser: argparse.ArgumentParser) -> None:
    add_option(parser, "baseline", type=Path, required=True, metavar="RUN", help="the run to hold")
    add_option(parser, "candidate", type=Path, required=True, metavar="RUN", help="the new run")
    add_option(parser, "config", type=Path, metavar="FILE", help="margins (YAML)")
    add_option(parser, "junit", type=Path, metavar="FILE", help="write JUnit XML, too")


def import_run(args: argparse.Namespace, rest: list[str]) -> int:
    """Make a run of lm-eval's output."""
    from harness.commands.evaluating import default_folder
    from harness.imported import read_output
    from harness.report import print_run
    from harness.run_files import check_absent, write_run

    folder = args.output or default_folder("imported")
    check_absent(folder)
    run = read_output(args.place)
    write_run(run, folder)
    print_run(run)
    print(f"\nThe run: {folder.resolve()}")
    return 1 if run.failed else 0


def compare(args: argparse.Namespace, rest: list[str]) -> int:
    """Compare two runs."""
    from harness.compare import compare as compare_runs
    from harness.compare import output
    from harness.report import print_all
    from harness.run_files import read_run

    if args.flips < 0:
        raise ConfigError(f"--flips must be 0 or more, got {args.flips}")
    patterns = [name for words in args.tasks for name in words.split(",")]
    told = compare_runs(read_run(args.base), read_run(args.candidate), patterns, args.flips)
    if args.format == "text":
        print_all(output.as_text(told), output.WIDTH)
    else:
        write = output.as_csv if args.format == "csv" else output.as_json
        print(write(told), end="", flush=True)
    return 0


def gate(args: argparse.Namespace, rest: list[str]) -> int:
    """Say whether a candidate may ship."""
    from harness.gate import EXIT, output, read_config
    from harness.gate import gate as check
    from harness.report import print_all
    from harness.run_files import read_run

    config, strict = read_config(args.config), args.config is not None
    runs = read_run(args.baseline), read_run(args.candidate)
    try:
        verdict = check(*runs, config, strict)
    except ConfigError as err:
        raise ConfigError(f"{args.config}: {err}" if strict else str(err)) from err
    if args.junit:
        output.write_junit(verdict, args.junit)
    with suppress(BrokenPipeError):  # the status tells, whoever reads
        print_all(output.as_text(verdict), output.WIDTH)
    return EXIT[verdict.status]
