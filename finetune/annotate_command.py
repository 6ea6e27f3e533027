"""The subcommand for feedback by people: annotate export, annotate import."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.finetune_command import find_recipe
from finetune.recipe import Recipe
from finetune.writing.annotation_merge import Agreement, Conflict, Merged, merge
from finetune.writing.annotations import (
    Annotation,
    OpenAnnotation,
    Sheet,
    check_new,
    read_open,
    read_sheet,
    write_annotations,
    write_open,
)
from harness.commands.options import add_command, add_option, add_pickles
from harness.errors import ConfigError, DataError, printable
from harness.whole_files import claimed_file

MOST_LISTED = 50
MOST_SHOWN = 80
"""Characters of a right answer."""

EXAMPLE = (
    '{"id": "9f3c...", "context": "The Seine flows through Paris ...", "question": "Which river '
    'flows through Paris?", "model_answer": "the Rhine", "is_right": false, "why": "The passage '
    'says that the Seine flows through Paris.", "right_answer": "the Seine", "annotator": "maria"}'
)
SCHEMA = f"""\
A file of JSON lines (UTF-8), a line for each answer of the model. Exported, and not to be changed:
  id            hash of the document
  context, question, model_answer
To be filled in, null until then:
  is_right      true or false: is the model's answer right?
  why           the reason, in a sentence or two; it is learnt word for word
  right_answer  what would be right, in words of the passage; "unanswerable" if it does not say
  annotator     your name, or an alias (not ai, templated, human)
A row of which is_right, why and right_answer are all null counts as not annotated. An example:

  {EXAMPLE}"""
EPILOG = f"""\
example:
  selfcheck annotate export laffi.yaml --set data.human_fraction=0.5 --output open.jsonl
  cp open.jsonl maria.jsonl; cp open.jsonl tom.jsonl     # each fills in a copy
  selfcheck annotate import maria.jsonl tom.jsonl --expected open.jsonl --output people.jsonl
  selfcheck finetune laffi.yaml --set data.human_fraction=0.5 --set data.annotations=people.jsonl

What a share of feedback by people is worth (shares up to the exported one):
  selfcheck finetune laffi.yaml --set data.annotations=people.jsonl \\
    --sweep data.human_fraction=0,0.25,0.5 --output DIR

{SCHEMA}"""
EXPORT_EPILOG = f"""\
example:
  selfcheck annotate export laffi.yaml --set data.human_fraction=0.5 --output open.jsonl

The model answers the questions that the recipe trains on; FILE gets the answers that people are to
judge (data.human_fraction of them; 0: all). Which these are depends on the data and
data.subset_seed, not on the recipe's seed, and a larger share begins with those of a smaller one:
what is exported with 1 serves for all shares. Keep the file as it is, import wants it, and give
people copies. It is never overwritten.

{SCHEMA}"""
IMPORT_EPILOG = f"""\
example:
  selfcheck annotate import maria.jsonl tom.jsonl --expected open.jsonl --output people.jsonl

Every document gets one annotation: of several people who agree, that of the file named first.
Nothing is written if a file has a fault, if a row was never exported or was changed, or is there
twice; if people disagree on is_right, or all say false and name different right answers (unless
--prefer names who decides; case, punctuation and articles make no difference); or if a document is
annotated by nobody (unless --partial).

Documents stand in the order in which data.human_fraction takes them, so a partial file serves for
shares that end before the first gap. Which these are is said: of 20 exported documents with
data.human_fraction=0.5, the first 8 annotated, up to 0.5 * 8/20 = 0.2.

{SCHEMA}

exit status: 0 written, 1 nothing written (2: the command line)"""


def add_annotate(subparsers: Any, execute: Any) -> None:
    """Add the subcommand."""
    summary = "have people judge a model's answers, to train on what they say"

    def actions(parser: argparse.ArgumentParser) -> None:
        below = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
        told = "write the model's answers to a file for people to annotate"
        add_command(below, "export", execute, told, EXPORT_EPILOG, _export_options)
        told = "check people's files, and put them together"
        add_command(below, "import", execute, told, IMPORT_EPILOG, _import_options)

    add_command(subparsers, "annotate", execute, summary, EPILOG, actions)


def _export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="as for finetune, of laffi")
    add_option(
        parser, "set", action="append", default=[], metavar="A.B=VALUE", help="instead of the file"
    )
    add_option(parser, "output", type=Path, required=True, metavar="FILE", help="a new file")
    add_pickles(parser)


def _import_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="filled in by people")
    add_option(
        parser,
        "expected",
        type=Path,
        required=True,
        metavar="EXPORTED",
        help="what they were given",
    )
    add_option(parser, "output", type=Path, required=True, metavar="FILE", help="a new file")
    add_option(parser, "prefer", metavar="NAME", help="who decides where annotators disagree")
    told = "though some are annotated by nobody; says for which data.human_fraction that is enough"
    add_option(parser, "partial", action="store_true", help=told)


def annotate(args: argparse.Namespace) -> int:
    """Export or import; 0: a file was written.

    Raises:
        ConfigError, DataError: nothing was; names every fault.
    """
    with claimed_file(args.output):
        check_new(args.output)
        return _export(args) if args.action == "export" else _import(args)


def _export(args: argparse.Namespace) -> int:
    from finetune.reading.recipe_file import read_recipe

    recipe = read_recipe(find_recipe(args.recipe), args.set, annotated=False)
    if recipe.method != "laffi":
        raise ConfigError(
            f"{args.recipe}: method: is {recipe.method!r}; only 'laffi' learns from annotations"
        )
    rows = ask_model(recipe)
    if not rows:
        raise DataError("the model answered none of the questions: nothing is to be annotated")
    write_open(args.output, rows)
    file = args.output.resolve()
    told = (
        f"{len(rows)} answers to annotate: {file}\n\n"
        "Next: give everybody a copy (`selfcheck annotate --help` says what to fill in), then\n"
        f"  selfcheck annotate import COPY [COPY ...] --expected {shlex.quote(str(file))} "
        "--output PEOPLE.jsonl\n"
        "and train with data.annotations=PEOPLE.jsonl and the same data.human_fraction"
    )
    print(printable(told))
    return 0


def ask_model(recipe: Recipe) -> list[OpenAnnotation]:
    """Give the model's answers that people are to annotate.

    Raises:
        ConfigError, DataError, MissingDataError: data is not there, too little, or not as it must
            be.
        ModelError: the model cannot be loaded.
    """
    from finetune.finetuning import check_models, find_documents
    from finetune.laffi import to_annotate
    from finetune.scoring import evaluated_tasks

    documents = find_documents(recipe, evaluated_tasks(recipe))
    check_models(recipe)
    return to_annotate(recipe, documents)


def _import(args: argparse.Namespace) -> int:
    exported, sheets = _read_all(args.expected, args.files)
    merged = merge(exported, sheets, args.prefer)
    print(printable("\n".join(_report(merged, list(exported), args.prefer))))
    if faults := list(_refusals(merged, args.partial)):
        raise DataError("\n".join([*faults, "Nothing was written"]))
    write_annotations(args.output, merged.annotations)
    print(printable(f"\n{args.output.resolve()}"))
    return 0


def _read_all(
    expected: Path, files: Sequence[Path]
) -> tuple[Mapping[str, OpenAnnotation], list[Sheet]]:
    places = [os.path.realpath(file) for file in (expected, *files)]  # a link to itself, too
    for place in places:
        if places.count(place) > 1:
            raise ConfigError(
                f"{place}: is named twice; everybody needs a copy of what is exported"
            )
    exported: Mapping[str, OpenAnnotation] = {}
    sheets, faults = [], []
    try:
        exported = read_open(expected)
    except DataError as err:
        faults.append(str(err))
    for file in files:
        try:
            sheets.append(read_sheet(file))
        except DataError as err:
            faults.append(str(err))
    if faults:
        raise DataError("\n".join([*faults, "Nothing was written"]))
    return exported, sheets


def _report(merged: Merged, exported: Sequence[str], prefer: str | None) -> Iterator[str]:
    number = len(exported)
    yield f"{number - len(merged.missing)} of {number} documents are annotated"
    yield from map(_agreement, merged.agreements)
    if merged.settled:
        yield f"{len(merged.settled)} documents on which {prefer} decides:"
        yield from map(_verdicts, merged.settled)
    if merged.missing:
        yield f"{len(merged.missing)} documents that nobody annotated:"
        yield from _listed([f"  document {digest[:12]}" for digest in merged.missing])
        yield _covered(exported.index(merged.missing[0]), number)


def _covered(first: int, exported: int) -> str:
    """Say for which share so many documents before the first gap serve."""
    if not first:
        return "the first exported document is among them: no data.human_fraction is without a gap"
    return (
        f"without a gap are the first {first} of {exported}: they serve for a data.human_fraction "
        f"of at most {first / exported:.4g} times the exported one (which counts 1 if it was 0)"
    )


def _agreement(told: Agreement) -> str:
    one, other = told.annotators
    kappa = "not defined: one verdict throughout" if told.kappa is None else f"{told.kappa:.2f}"
    share = f"{told.agreed} of {told.documents} documents ({told.agreed / told.documents:.0%})"
    return f"{one} and {other} agree on {share}, Cohen's kappa {kappa}"


def _verdicts(told: Conflict) -> str:
    said = ", ".join(f"{name}: {_verdict(row)}" for name, row in told.said.items())
    return f"  document {told.id[:12]}: {said}"


def _verdict(row: Annotation) -> str:
    return "right" if row.is_right else f"wrong ({row.right_answer[:MOST_SHOWN]})"


def _listed(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:MOST_LISTED]
    if len(lines) > MOST_LISTED:
        yield f"  and {len(lines) - MOST_LISTED} more like these"


def _refusals(merged: Merged, partial: bool) -> Iterator[str]:
    """Say what keeps the annotations from being written."""
    for rows in (merged.strange, merged.changed, merged.duplicates):
        yield from _listed(rows)
    if merged.conflicts:
        yield (
            f"{len(merged.conflicts)} documents on which annotators disagree (let them settle it, "
            "or name with --prefer who decides):"
        )
        yield from map(_verdicts, merged.conflicts)
    if not merged.annotations and not merged.conflicts:
        yield "no document is annotated"
    elif merged.missing and not partial:
        yield (
            f"{len(merged.missing)} documents that nobody annotated are listed above: have them "
            "annotated, or give --partial"
        )
