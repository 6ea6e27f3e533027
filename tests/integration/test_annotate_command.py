"""`selfcheck annotate`: answers out, people's files in, and nothing of theirs ever lost."""

from __future__ import annotations

import json
import shutil

import pytest

from finetune import annotate_command
from finetune.writing.annotations import read_annotations, read_open, write_open
from harness.commands import main
from harness.errors import DataError
from tests.unit.finetune.annotated import as_line, filled, open_row, write_lines

ROWS = [open_row(n) for n in range(4)]
SHARE = ["--set", "data.human_fraction=0.5"]


@pytest.fixture
def exported(tmp_path):
    """Give a file of four answers, as exported."""
    file = tmp_path / "open.jsonl"
    write_open(file, ROWS)
    return file


@pytest.fixture
def answers(monkeypatch):
    """Let the model give answers without being asked; gives the recipes that came."""
    recipes = []

    def to_annotate(recipe):
        recipes.append(recipe)
        return ROWS

    monkeypatch.setattr(annotate_command, "ask_model", to_annotate)
    return recipes


def fill(file, name, verdicts):
    """Let somebody fill in a copy; None leaves a row as it is."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for row, is_right in zip(rows, verdicts, strict=True):
        if is_right is not None:
            told = {"why": f"{name} read the passage.", "right_answer": "unanswerable"}
            row.update(is_right=is_right, annotator=name, **told)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    return write_lines(file.with_name(f"{name}.jsonl"), *lines)


def annotate(*told):
    return main(["annotate", *map(str, told)])


def bring_in(exported, *told):
    output = exported.with_name("people.jsonl")
    return annotate("import", *told, "--expected", exported, "--output", output), output


def test_export_filled_in_imported_and_read_is_what_people_wrote(tmp_path, answers, capsys):
    exported = tmp_path / "new folder" / "open.jsonl"
    assert annotate("export", "laffi_sample", *SHARE, "--output", exported) == 0
    told = capsys.readouterr().out
    assert f"4 answers to annotate: {exported}\n" in told
    assert f"--expected '{exported}' --output PEOPLE.jsonl" in told
    assert answers[0].data.human_fraction == 0.5
    assert list(read_open(exported).values()) == ROWS
    ann = fill(exported, "ann", [True, False, None, None])
    bob = fill(exported, "bob", [None, False, True, True])
    status, output = bring_in(exported, ann, bob)
    told = capsys.readouterr().out
    assert status == 0
    assert told.startswith("4 of 4 documents are annotated\n") and str(output) in told
    assert "ann and bob agree on 1 of 1 documents (100%), Cohen's kappa not defined" in told
    rows = read_annotations(output)
    assert list(rows) == [row.id for row in ROWS]
    given = [(one.is_right, one.annotator, one.why.split()[0]) for one in rows.values()]
    assert given == [
        (True, "ann", "ann"), (False, "ann", "ann"), (True, "bob", "bob"), (True, "bob", "bob")
    ]  # fmt: skip
    assert [one.context for one in rows.values()] == [row.context for row in ROWS]


def test_export_by_a_recipe_whose_annotations_are_still_to_come(tmp_path, answers):
    told = ["--set", f"data.annotations={tmp_path / 'people.jsonl'}"]
    output = ["--output", tmp_path / "open.jsonl"]
    assert annotate("export", "laffi_sample", *SHARE, *told, *output) == 0
    assert answers[0].data.annotations == str(tmp_path / "people.jsonl")


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        (
            ["grath_sample"],
            "grath_sample: method: is 'grath'; only 'laffi' learns from annotations",
        ),
        (["nowhere.yaml"], "nowhere.yaml: there is no such recipe"),
        (["laffi_sample", "--set", "data.human_fraction=2"], "a number from 0 to 1"),
        (["laffi_sample", "--set", "seed=x", "--set", "data.subset=0"], "data.subset"),
    ],
)
def test_export_by_a_wrong_recipe_asks_no_model_and_writes_nothing(
    tmp_path, answers, capsys, told, complaint
):
    output = tmp_path / "open.jsonl"
    assert annotate("export", *told, "--output", output) == 1
    assert complaint in capsys.readouterr().err
    assert not answers and not output.exists()


def test_export_never_overwrites_and_says_so_before_a_model_is_asked(exported, answers, capsys):
    before = exported.read_bytes()
    assert annotate("export", "laffi_sample", *SHARE, "--output", exported) == 1
    assert "is there already, and may hold people's work" in capsys.readouterr().err
    assert exported.read_bytes() == before and not answers


def test_export_does_not_overwrite_what_came_while_the_model_answered(
    tmp_path, monkeypatch, capsys
):
    output = tmp_path / "open.jsonl"

    def to_annotate(recipe):
        output.write_text("somebody's work", encoding="utf-8")
        return ROWS

    monkeypatch.setattr(annotate_command, "ask_model", to_annotate)
    assert annotate("export", "laffi_sample", *SHARE, "--output", output) == 1
    assert "is there already" in capsys.readouterr().err
    assert output.read_text(encoding="utf-8") == "somebody's work"


def test_export_of_no_answers_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(annotate_command, "ask_model", lambda recipe: [])
    assert annotate("export", "laffi_sample", *SHARE, "--output", tmp_path / "open.jsonl") == 1
    assert "nothing is to be annotated" in capsys.readouterr().err


def test_export_of_a_real_model_is_what_it_answers(tmp_path, tiny_gpt2, capsys):
    output = tmp_path / "open.jsonl"
    model = ["--set", f"model.name={tiny_gpt2}", "--set", "trainer.max_length=2048"]
    assert annotate("export", "laffi_sample", *SHARE, *model, "--output", output) == 0
    rows = read_open(output)
    assert len(rows) <= 20 and f"{len(rows)} answers to annotate" in capsys.readouterr().out
    assert all(row.context and row.question and row.model_answer for row in rows.values())


def test_import_disagreement_writes_nothing_until_somebody_decides(exported, capsys):
    ann = fill(exported, "ann", [True, True, False, False])
    bob = fill(exported, "bob", [True, False, False, True])
    status, output = bring_in(exported, ann, bob)
    said = capsys.readouterr()
    assert status == 1 and not output.exists()
    assert "ann and bob agree on 2 of 4 documents (50%), Cohen's kappa 0.00" in said.out
    assert "2 documents on which annotators disagree" in said.err
    assert f"  document {ROWS[1].id[:12]}: ann: right, bob: wrong (unanswerable)\n" in said.err
    assert f"  document {ROWS[3].id[:12]}: ann: wrong (unanswerable), bob: right\n" in said.err
    assert said.err.endswith("Nothing was written\n")
    status, output = bring_in(exported, ann, bob, "--prefer", "bob")
    assert status == 0 and "2 documents on which bob decides:" in capsys.readouterr().out
    assert [row.annotator for row in read_annotations(output).values()] == ["ann", "bob"] * 2


def test_import_what_nobody_annotated_is_listed_and_written_only_if_asked_for(exported, capsys):
    ann = fill(exported, "ann", [True, None, True, None])
    status, output = bring_in(exported, ann)
    said = capsys.readouterr()
    assert status == 1 and not output.exists()
    assert "2 of 4 documents are annotated\n2 documents that nobody annotated:\n" in said.out
    assert all(f"  document {row.id[:12]}\n" in said.out for row in (ROWS[1], ROWS[3]))
    assert "2 documents that nobody annotated are listed above" in said.err
    status, output = bring_in(exported, ann, "--partial")
    assert status == 0 and list(read_annotations(output)) == [ROWS[0].id, ROWS[2].id]
    assert (
        "without a gap are the first 1 of 4: they serve for a data.human_fraction of at most 0.25 "
        "times the exported one" in capsys.readouterr().out
    )


def test_import_says_that_a_gap_at_the_start_leaves_no_share(exported, capsys):
    ann = fill(exported, "ann", [None, True, True, True])
    assert bring_in(exported, ann, "--partial")[0] == 0
    assert "no data.human_fraction is without a gap" in capsys.readouterr().out


def test_import_of_different_right_answers_tells_both_until_somebody_decides(exported, capsys):
    ann = fill(exported, "ann", [False] * 4)
    lines = [as_line(filled(row, "bob"), right_answer="unanswerable") for row in ROWS]
    bob = write_lines(exported.with_name("bob.jsonl"), *lines[:3], as_line(filled(ROWS[3], "bob")))
    status, output = bring_in(exported, ann, bob)
    said = capsys.readouterr()
    assert status == 1 and not output.exists()
    assert "ann and bob agree on 4 of 4 documents" in said.out
    told = f"  document {ROWS[3].id[:12]}: ann: wrong (unanswerable), bob: wrong (it is 3 km)\n"
    assert "1 documents on which annotators disagree" in said.err and told in said.err
    status, output = bring_in(exported, ann, bob, "--prefer", "bob")
    assert status == 0
    assert [row.annotator for row in read_annotations(output).values()] == ["ann"] * 3 + ["bob"]


def test_import_of_nothing_annotated_writes_nothing_even_if_partial(exported, capsys):
    ann = fill(exported, "ann", [None] * 4)
    status, output = bring_in(exported, ann, "--partial")
    assert status == 1 and not output.exists()
    assert "no document is annotated" in capsys.readouterr().err


def test_import_tells_strange_changed_and_repeated_rows_at_once(exported, capsys):
    sheet = write_lines(
        exported.with_name("ann.jsonl"),
        *(as_line(filled(row)) for row in ROWS[:3]),
        as_line(filled(ROWS[3]), question="Edited?"),
        as_line(filled(ROWS[0])),
        as_line(filled(open_row(9))),
    )
    status, output = bring_in(exported, sheet, "--partial")
    said = capsys.readouterr().err
    assert status == 1 and not output.exists()
    assert f"{sheet}, line 4: document {ROWS[3].id[:12]}: not as exported" in said
    assert f"{sheet}, line 5: document {ROWS[0].id[:12]} is there twice, first in line 1" in said
    assert f"{sheet}, line 6: document {open_row(9).id[:12]} was not exported" in said


def test_import_tells_the_faults_of_all_files_at_once(exported, capsys):
    ann = write_lines(exported.with_name("ann.jsonl"), "no json", as_line(filled(ROWS[0]), why=""))
    bob = exported.with_name("bob.jsonl")
    exported.write_text(f"\n{exported.read_text(encoding='utf-8')}", encoding="utf-8")
    status, output = bring_in(exported, ann, bob)
    said = capsys.readouterr().err
    assert status == 1 and not output.exists()
    places = [f"{exported}, line 1: is blank", f"{ann}, line 1: is no JSON", f"{ann}, line 2: why"]
    assert all(place in said for place in [*places, f"{bob}: annotations cannot be read"])


def test_import_lists_many_rows_of_another_export_in_part(exported, capsys):
    sheet = exported.with_name("ann.jsonl")
    write_lines(sheet, *(as_line(filled(open_row(n))) for n in range(10, 100)))
    assert bring_in(exported, sheet)[0] == 1
    said = capsys.readouterr().err
    assert said.count("was not exported") == 50 and "and 40 more like these" in said


def test_import_never_overwrites_people_s_files(exported, capsys):
    ann = fill(exported, "ann", [True] * 4)
    before = ann.read_bytes()
    assert annotate("import", ann, "--expected", exported, "--output", ann) == 1
    assert "is there already" in capsys.readouterr().err
    assert ann.read_bytes() == before


def test_import_of_the_exported_file_itself_or_of_one_twice_is_refused(exported, capsys):
    ann = fill(exported, "ann", [True] * 4)
    for files in ([exported], [ann, ann], [ann, ann.parent / "." / ann.name]):
        status, output = bring_in(exported, *files)
        assert status == 1 and not output.exists()
        assert "is named twice" in capsys.readouterr().err


def test_import_against_a_file_that_people_worked_in_is_refused(exported, capsys):
    ann = fill(exported, "ann", [True, None, None, None])
    shutil.copy(ann, exported)
    assert bring_in(exported, ann)[0] == 1
    assert "line 1: document" in (said := capsys.readouterr().err)
    assert "is annotated already: this is not as exported" in said


def test_import_preferring_nobody_known_is_refused(exported, capsys):
    status, output = bring_in(exported, fill(exported, "ann", [True] * 4), "--prefer", "anna")
    assert status == 1 and not output.exists()
    assert "unknown annotator: got 'anna'. Did you mean 'ann'?" in capsys.readouterr().err


def test_import_names_of_people_are_printed_harmlessly(exported, capsys):
    ann = fill(exported, "\u202eann", [True, True, False, False])
    bob = fill(exported, "bob", [True, False, False, True])
    assert bring_in(exported, ann, bob)[0] == 1
    said = capsys.readouterr()
    assert "\\u202eann and bob agree" in said.out
    assert "\\u202eann: right" in said.err and "\u202e" not in said.out + said.err


def test_import_output_with_a_row_taken_out_by_hand_is_still_read(exported):
    status, output = bring_in(exported, fill(exported, "ann", [True] * 4))
    lines = output.read_text(encoding="utf-8").splitlines()
    assert status == 0 and len(lines) == 4
    assert len(read_annotations(write_lines(output, *lines[1:]))) == 3
    with pytest.raises(DataError, match="there twice"):
        read_annotations(write_lines(output, *lines, lines[0]))


@pytest.mark.parametrize("action", ["export", "import"])
def test_help_documents_every_key_with_an_example(action, capsys):
    with pytest.raises(SystemExit):
        annotate(action, "--help")
    told = capsys.readouterr().out
    assert '"is_right": false' in told
    keys = ("context", "question", "model_answer", "is_right", "why", "right_answer", "annotator")
    assert all(f"{key}" in told.split("A file of JSON lines")[1] for key in keys)


@pytest.mark.parametrize("told", [[], ["export"], ["import", "x"], ["send"]])
def test_wrong_command_line_has_status_2(told, capsys):
    with pytest.raises(SystemExit) as caught:
        annotate(*told)
    assert caught.value.code == 2 and "usage: selfcheck annotate" in capsys.readouterr().err
