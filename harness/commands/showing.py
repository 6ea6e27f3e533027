"""The subcommand that shows a run: show."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from harness.commands.options import add_command, add_option
from harness.errors import ConfigError

SHOW_EPILOG = """\
example:
  selfcheck show runs/base
  selfcheck show runs/base --task selfcheck_importance_imdb --verdict 'not readable'
  selfcheck show runs/base --document 5733be28

--verdict: the words that the list of documents shows. A change in a prompt is coloured; where
colours cannot be seen it is marked [-gone-] {+new+} {#masked#}."""


def register(subparsers: Any) -> None:
    """Add the subcommand."""
    summary = "show a run: its tasks, their documents, what was asked and answered"
    add_command(subparsers, "show", show, summary, SHOW_EPILOG, _show_options)


def _show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    add_option(parser, "task", metavar="TASK", help="list its documents")
    add_option(parser, "document", metavar="HASH", help="show it all; the hash's beginning will do")
    add_option(parser, "verdict", metavar="WORDS", help="list documents with this verdict only")
    add_option(parser, "search", metavar="TEXT", help="list documents that hold it only")
    add_option(parser, "limit", type=int, default=20, metavar="N", help="documents to list")
    add_option(parser, "full", action="store_true", help="do not shorten long texts")


def show(args: argparse.Namespace, rest: list[str]) -> int:
    """Show a run, a task, or a document."""
    from harness import showing
    from harness.report import print_all
    from harness.run_files import read_run

    chosen = showing.Chosen(args.verdict, args.search, args.limit)
    chosen.check()
    lists = args.verdict is not None or args.search is not None
    if lists and (args.document is not None or args.task is None):
        raise ConfigError("--verdict and --search choose among the documents of a --task")
    run = read_run(args.run)
    if args.document is not None:
        task, told = showing.find_document(run, args.document, args.task)
        print_all(showing.document_view(task, told, args.full), showing.WIDTH)
    elif args.task is not None:
        print_all(showing.task_view(run, args.task, chosen), showing.WIDTH)
    else:
        print_all(showing.run_view(run), showing.WIDTH)
    return 0
