"""What changed files have found, each once and by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetune.stages import facts_of
from finetune.sweeps.finished import read_finished
from finetune.training.resume import LEDGER, open_ledger
from finetune.watching.state import FILE, open_state
from finetune.workspace import Workspace
from harness.commands import main
from harness.errors import ConfigError, ModelError, TrainingError
from harness.evaluate import check
from harness.hashes import file_sha256
from harness.loading import load
from harness.models import adapter_base
from harness.plan import Plan
from harness.run_files import read_run
from tests.fuzz.input_targets import build_annotations, build_tasks
from tests.fuzz.mutations import BOMB
from tests.fuzz.run_targets import build_gate, build_output, build_runs
from tests.tiny import save_tiny_gpt2

DEEP = "[" * 100_000


def said_by(capsys, *line: object, status: int = 1) -> str:
    assert main([str(word) for word in line]) == status
    told: str = capsys.readouterr().err
    assert "Traceback" not in told
    return told


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("margins: {accc: 0.1}", "unknown metric in margins"),
        (f"margins: {DEEP}", "nested too deeply"),
        (f"{BOMB}\nmargins: *a9", "too large"),
        ("margins: {acc: 2}", "holds nothing"),
    ],
    ids=["unknown", "deep", "bomb", "wide"],
)
def test_a_gates_file_is_named(tmp_path, capsys, text, complaint) -> None:
    build_gate(tmp_path)
    (tmp_path / "gate.yaml").write_text(text)
    told = said_by(
        capsys, "gate", "--baseline", tmp_path / "base", "--candidate", tmp_path / "candidate",
        "--config", tmp_path / "gate.yaml",
    )  # fmt: skip
    assert f"{tmp_path / 'gate.yaml'}: " in told and complaint in told


@pytest.mark.parametrize("line", ["3", "[1]", '{"a": "\x00"}', DEEP], ids=str.__len__)
def test_show_names_the_file_of_samples_that_are_none(tmp_path, capsys, line) -> None:
    build_runs(tmp_path)
    file = tmp_path / "base" / "samples_t.jsonl"
    file.write_text(f"{line}\n")
    told = said_by(capsys, "show", tmp_path / "base", "--task", "t")
    assert str(file) in told and "damaged" in told


def test_import_refuses_numbers_that_no_run_can_hold(tmp_path, capsys) -> None:
    build_output(tmp_path)
    (file,) = tmp_path.glob("results_*.json")
    file.write_text(
        file.read_text().replace('"versions": {"t": 1.0}', f'"versions": {{"t": {10**40}}}')
    )
    told = said_by(capsys, "import", tmp_path, "--output", tmp_path / "run")
    assert str(file) in told and "is out of range" in told


def test_import_writes_a_run_that_can_be_read_whatever_the_version_is(tmp_path) -> None:
    build_output(tmp_path)
    (file,) = tmp_path.rglob("results_*.json")
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "versions": {"t": False}}))
    assert main(["import", str(file.parent), "--output", str(tmp_path / "run")]) == 0
    assert read_run(tmp_path / "run").tasks["t"].version == "False"


@pytest.mark.parametrize("bounds", [[0, 0], [1, 0]])
def test_a_run_whose_metric_has_no_room_between_its_bounds_is_named(
    tmp_path, capsys, bounds
) -> None:
    build_runs(tmp_path)
    file = tmp_path / "base" / "run.json"
    told = json.loads(file.read_text())
    told["tasks"]["t"]["metrics"]["acc"]["bounds"] = bounds
    file.write_text(json.dumps(told))
    said = said_by(capsys, "gate", "--baseline", file.parent, "--candidate", tmp_path / "candidate")
    assert str(file) in said and "the lowest value, then the highest" in said


def test_annotations_may_be_a_link_to_itself(tmp_path, capsys) -> None:
    build_annotations(tmp_path)
    (tmp_path / "tom.jsonl").unlink()
    (tmp_path / "tom.jsonl").symlink_to(tmp_path / "tom.jsonl")
    told = said_by(
        capsys, "annotate", "import", tmp_path / "tom.jsonl", "--expected", tmp_path / "open.jsonl",
        "--output", tmp_path / "people.jsonl",
    )  # fmt: skip
    assert str(tmp_path / "tom.jsonl") in told


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("cluster: doc", f"cluster: {DEEP}", "nested too deeply"),
        ("cluster: doc", "cluster: ]", "is not YAML: line"),
        ("cluster: doc", "cluster: !!python/name:os.system", "could not determine a constructor"),
        ("cluster: doc", "cluster: !function nowhere.f", "Cannot import module 'nowhere'"),
        ("cluster: doc", "cluster: !!null x", "cluster must be text"),
        ("columns: {", "columns: 3 #", "columns must be a mapping"),
        ("chance: {", "chance: -1 #", "chance must be a mapping"),
        ("metadata: {", "metadata: 5 #", "metadata lacks 'version'"),
        ("include: [", "includee: [", "cannot be made a task"),
        ("task: mine", "task:", "task must be a name"),
        ("dataset_path: own/reviews", "dataset_path: ''", "dataset_path must be text"),
    ],
    ids=lambda text: text[:30],
)
def test_a_task_file_is_named(tmp_path, monkeypatch, old, new, complaint) -> None:
    build_tasks(tmp_path)
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path / "data"))
    file = tmp_path / "tasks" / "mine.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ConfigError) as caught:
        check(Plan("planted", ("mine",), include_path=(tmp_path / "tasks",)))
    assert str(file) in str(caught.value) and complaint in str(caught.value)


@pytest.mark.parametrize("text", ["{", '{"key": "a"}', DEEP, "\udcff"], ids=str.__len__)
def test_what_a_training_came_to_is_named_if_it_is_damaged(tmp_path, text) -> None:
    work = Workspace(tmp_path)
    (tmp_path / "training").mkdir()
    work.facts("x").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(TrainingError, match="remove it to train again") as caught:
        facts_of(work, "x")
    assert str(work.facts("x")) in str(caught.value)


@pytest.mark.parametrize("change", [{"seconds": 10**400}, {"peak_memory": "much"}], ids=list)
def test_the_ledger_of_a_training_holds_numbers_that_there_are(tmp_path, change) -> None:
    (tmp_path / "checkpoint-5").mkdir()
    told = {"identity": {}, "seconds": 1.0, "peak_memory": None, **change}
    (tmp_path / LEDGER).write_text(json.dumps(told))
    with pytest.raises(TrainingError, match=rf"{LEDGER} is not there or damaged"):
        open_ledger(tmp_path, {})


def test_a_finetuning_whose_end_is_a_link_to_nothing_lacks_that_file(tmp_path) -> None:
    (tmp_path / "training.json").symlink_to(tmp_path / "nothing")
    assert "training.json is not there" in str(read_finished(tmp_path, True))


@pytest.mark.parametrize("content", [b"\xff", b"[" * 100_000, b'{"version": "1"}'], ids=len)
def test_the_state_of_a_watch_is_named_if_it_is_damaged(tmp_path, content) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read as the state of a watch") as caught:
        open_state(tmp_path, {})
    assert str(tmp_path / FILE) in str(caught.value)


@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors", "config.json"])
def test_a_damaged_file_of_a_model_is_named(tmp_path, name) -> None:
    model = save_tiny_gpt2(tmp_path / "model", positions=32)
    (model / name).write_bytes((model / name).read_bytes()[:100])
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load("hf", {"pretrained": str(model)}, chat_template=False, device="cpu", batch_size=1)
    assert f"{model / name}: is damaged" in str(caught.value)


def test_an_adapters_configuration_may_be_nested_without_end(tmp_path) -> None:
    (tmp_path / "adapter_config.json").write_text(DEEP)
    with pytest.raises(ModelError, match=r"adapter_config\.json: cannot be read"):
        adapter_base(tmp_path)


def test_hashes_that_are_remembered_may_be_nested_without_end(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SELFCHECK_HOME", str(tmp_path))
    (tmp_path / "hashes.json").write_text(DEEP)
    (tmp_path / "weights").write_bytes(b"")
    assert file_sha256(tmp_path / "weights").startswith("e3b0c442")  # sha256 of nothing


def test_the_sound_file_of_a_user_is_a_task(tmp_path: Path, monkeypatch) -> None:
    build_tasks(tmp_path)
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path / "data"))
    assert list(check(Plan("planted", ("mine",), include_path=(tmp_path / "tasks",)))) == ["mine"]
    assert json.loads(Path(tmp_path, "data/own__reviews/test.jsonl").read_text().splitlines()[0])
