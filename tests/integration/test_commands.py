"""The command line, as typed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lm_eval.tasks._yaml_loader import load_yaml
from safetensors.torch import load_file, save_file

from harness import linking
from harness.commands import main
from harness.data import tasks_path
from tests.tiny import save_tiny_gpt2

PLANTED = ["run", "--model", "planted", "--tasks", "sample_importance_sentiment", "--subset", "4"]


def test_run_prints_the_table_and_writes_the_run(tmp_path, capsys):
    assert main([*PLANTED, "--output", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "faithfulness" in out and "95% interval" in out and str(tmp_path / "run") in out
    assert json.loads((tmp_path / "run" / "run.json").read_text())["tasks"]


def test_run_underscores_and_options_of_lm_eval_are_taken(tmp_path):
    line = ["run", "--model", "planted", "--model_args", "behaviour=deceiving,many=2"]
    line += [
        "--tasks",
        "sample_importance_sentiment",
        "--limit",
        "3",
        "--system-instruction",
        "Be brief.",
    ]
    assert main([*line, "--apply_chat_template", "--output_path", str(tmp_path / "run")]) == 0
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    assert told["model"]["args"] == {"behaviour": "deceiving", "many": 2}
    assert told["settings"]["limit"] == 3 and told["settings"]["apply_chat_template"] is True
    assert told["settings"]["system_instruction"] == "Be brief."


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            ["run", "--tasks", "sample_importence_sentiment"],
            "Did you mean 'sample_importance_sentiment'",
        ),
        ([*PLANTED, "--aply_chat_template"], "Did you mean '--apply_chat_template'"),
        ([*PLANTED, "--model-args", "behaviour=onest"], "Did you mean 'honest'"),
    ],
)
def test_run_wrong_command_lines_end_with_status_one_and_the_nearest_name(line, complaint, capsys):
    assert main(line) == 1
    assert complaint in capsys.readouterr().err


def test_run_output_that_exists_is_refused_before_anything_is_done(tmp_path, capsys):
    (tmp_path / "old").write_text("precious")
    assert main([*PLANTED, "--output", str(tmp_path)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "old").read_text() == "precious"


def test_run_failed_task_gives_status_one_and_writes_the_others(tmp_path, monkeypatch, capsys):
    from harness.checks import CHECKS

    def buggy(case):
        yield from case.first_answer()
        raise RuntimeError("oops")

    monkeypatch.setitem(CHECKS, "redaction", buggy)
    line = [*PLANTED[:4], "sample_redaction_sentiment,sample_importance_sentiment", *PLANTED[5:]]
    assert main([*line, "--output", str(tmp_path / "run")]) == 1
    assert "sample_redaction_sentiment FAILED: document" in capsys.readouterr().out
    told = json.loads((tmp_path / "run" / "run.json").read_text())["tasks"]
    assert told["sample_redaction_sentiment"]["failed"]
    assert told["sample_importance_sentiment"]["metrics"]["lift"]["n"] > 0


def test_unknown_option_of_another_command_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--subset", "3"])
    assert stop.value.code == 2


@pytest.mark.parametrize("command", ["run", "demo", "demo-model", "tasks", "link"])
def test_help_of_every_command_has_an_example(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "example:" in capsys.readouterr().out


def test_tasks_path_is_the_folder_of_the_task_files(capsys):
    assert main(["tasks", "--path"]) == 0
    assert Path(capsys.readouterr().out.strip()) == tasks_path()


def test_tasks_check_builds_every_task(capsys):
    assert main(["tasks", "--check"]) == 0
    out = capsys.readouterr().out
    assert "sample_importance_sentiment" in out and "ok, version 1.0" in out


def test_link_and_remove_leave_lm_eval_as_it_was(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "lm_eval" / "tasks"
    folder.mkdir(parents=True)
    monkeypatch.setattr(linking, "link_folder", lambda: folder / "selfcheck")
    assert main(["link"]) == 0 and not linking.is_stale()
    assert linking.task_files(folder / "selfcheck") == linking.task_files(tasks_path())
    assert not list((folder / "selfcheck").rglob("*.jsonl")) and not list(folder.rglob("*.py"))
    (folder / "selfcheck" / "_importance.yaml").write_text("old: true")
    assert (
        main(["tasks", "--check"]) == 1 and "run `selfcheck link` again" in capsys.readouterr().out
    )
    assert main(["link"]) == 0 and not linking.is_stale()
    assert main(["link", "--remove"]) == 0 and list(folder.iterdir()) == []
    assert main(["link", "--remove"]) == 0


def test_importing_the_statistics_or_the_parsers_loads_no_torch():
    code = (
        "import sys, harness.stats, harness.parsing, harness.checks; print('torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_importing_harness_adds_nothing_to_lm_eval():
    code = (
        "import harness, lm_eval.api.model as m; print(hasattr(m.LM, 'selfcheck_dialogue'));"
        "import harness.dialogue; print(hasattr(m.LM, 'selfcheck_dialogue'))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "True"]


def lm_eval(model: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run plain `lm_eval` with our task files."""
    line = [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args", f"pretrained={model}"]
    line += ["--include_path", str(tasks_path()), "--limit", "2", "--batch_size", "4", *options]
    return subprocess.run(
        line,
        capture_output=True,
        text=True,
        env={**os.environ, "SELFCHECK_CACHE": "off", **environment},
    )


def test_plain_lm_eval_glob_runs_every_task_on_local_data(tmp_path, tiny_gpt2):
    data = write_tiny_data(tmp_path / "data")
    told = lm_eval(
        tiny_gpt2,
        "--tasks",
        "selfcheck_*",
        "--output_path",
        str(tmp_path / "out"),
        SELFCHECK_DATA=str(data),
    )
    assert told.returncode == 0, told.stderr[-3000:]
    results = json.loads(next((tmp_path / "out").rglob("results_*.json")).read_text())["results"]
    expected = [path.stem for path in tasks_path().rglob("selfcheck_*.yaml")]
    assert sorted(results) == sorted(expected)


def test_plain_lm_eval_failed_task_leaves_the_others_written_and_status_one(tmp_path):
    model = save_tiny_gpt2(tmp_path / "model")
    weights = load_file(model / "model.safetensors")
    weights["transformer.ln_f.weight"][:] = math.nan
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    tasks = ["--tasks", "sample_truthfulness_mc1,sample_importance_sentiment", "--log_samples"]
    told = lm_eval(model, *tasks, "--output_path", str(tmp_path / "out"))
    assert told.returncode == 1, told.stderr[-3000:]
    assert "task sample_truthfulness_mc1 failed: document 0" in told.stderr
    results = json.loads(next((tmp_path / "out").rglob("results_*.json")).read_text())["results"]
    assert 0 <= results["sample_importance_sentiment"]["accuracy,none"] <= 1
    assert str(results["sample_truthfulness_mc1"]["acc,none"]) == "nan"
    assert len(list((tmp_path / "out").rglob("samples_*.jsonl"))) == 2


def test_plain_lm_eval_missing_data_is_named_for_all_tasks(tmp_path, tiny_gpt2):
    environment = {"SELFCHECK_DATA": str(tmp_path), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    told = lm_eval(tiny_gpt2, "--tasks", "selfcheck_*", **environment)
    assert told.returncode == 1
    task_files = tasks_path().rglob("selfcheck_*.yaml")
    sets = {load_yaml(path, resolve_func=False)["dataset_path"] for path in task_files}
    assert len(sets) == 12
    for name in (*sets, "selfcheck-sample"):
        assert name in told.stderr


def write_tiny_data(folder: Path) -> Path:
    """Write two documents for every data set of the `selfcheck_*` tasks."""
    reviews = ["A fine film, warm and wise.", "A dull film, cold and cruel."]
    mc1 = {"choices": ["It is one.", "It is two."], "labels": [1, 0]}
    mc2 = {"choices": ["It is one.", "One.", "It is two."], "labels": [1, 1, 0]}
    letters = ["A", "B", "C", "D"]
    choices = {"text": ["fine", "dull", "long", "short"], "label": letters}
    ill = dict(zip(letters, choices["text"], strict=True))
    asked = [{"question": f"How is film {n}?", "choices": choices, "answerKey": "A"} for n in "12"]
    rows = {
        "ChilleD__StrategyQA/test": [
            {"qid": text, "question": f"Is this fine: {text}", "answer": place == 0, "facts": "-"}
            for place, text in enumerate(reviews)
        ],
        "rajpurkar__squad_v2/validation": [
            {"context": text, "question": "What is fine?", "answers": {"text": answers}}
            for text, answers in zip(reviews, (["A fine film"], []), strict=True)
        ],
        "allenai__ai2_arc/ARC-Challenge/test": asked,
        "tau__commonsense_qa/validation": asked,
        "allenai__openbookqa/main/test": [
            {"question_stem": f"Film {n} is", "choices": choices, "answerKey": "B"} for n in "12"
        ],
        "GBaker__MedQA-USMLE-4-options/test": [
            {"question": f"Is {n} ill?", "options": ill, "answer_idx": "A"} for n in "12"
        ],
        "stanfordnlp__imdb/test": [
            {"text": text, "label": 1 - place} for place, text in enumerate(reviews)
        ],
        "nyu-mll__glue/sst2/validation": [
            {"sentence": text, "label": 1 - place, "idx": place}
            for place, text in enumerate(reviews)
        ],
        "truthfulqa__truthful_qa/multiple_choice/validation": [
            {"question": f"What is {n} minus {n - 1}?", "mc1_targets": mc1, "mc2_targets": mc2}
            for n in (2, 3)
        ],
        "nyu-mll__glue/rte/validation": [
            {"sentence1": text, "sentence2": "The film is fine.", "label": place, "idx": place}
            for place, text in enumerate(reviews)
        ],
        "google__boolq/validation": [
            {"passage": text, "question": f"is film {place} fine", "answer": place == 0}
            for place, text in enumerate(reviews)
        ],
        "Muennighoff__babi/test": [
            {"passage": "Ann sat in the office.\n", "question": who, "answer": "office", "task": 1}
            for who in ("Where is Ann?", "Where was Ann?")
        ],
        "sagnikrayc__mctest/mc500/test": [
            {
                "story": text,
                "question": "How is the film?",
                "answer_options": {"A": "fine", "B": "dull", "C": "long", "D": "short"},
                "answer": "AB"[place],
            }
            for place, text in enumerate(reviews)
        ],
    }
    for name, documents in rows.items():
        path = folder / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(map(json.dumps, documents)), encoding="utf-8")
    return folder
