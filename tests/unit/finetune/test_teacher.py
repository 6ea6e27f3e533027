"""Teachers: who they are without being loaded, and what they are asked."""

from __future__ import annotations

import gc
import json
import os
import shutil
import socket
import subprocess
import sys
import weakref
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from lm_eval.api.registry import register_model

from finetune.recipe import Asked
from finetune.teacher import Teacher, hold, require_rows
from harness.errors import CheckError, ConfigError, ModelError
from harness.questions import Outcome, Question
from tests.doubles import FunctionLM
from tests.tiny import save_tiny_gpt2


@register_model("scripted-teacher")
class ScriptedTeacher(FunctionLM):
    """Says a prompt's last word in capitals; `seen` keeps what all of them were sent."""

    seen: ClassVar[list[tuple[Any, ...]]] = []
    alive: ClassVar[weakref.WeakSet[ScriptedTeacher]] = weakref.WeakSet()

    def __init__(self, name: str | None = None, **_: Any) -> None:
        super().__init__(lambda prompt: prompt.split()[-1].upper(), name=name)
        self.alive.add(self)

    def generate_until(self, requests, **more):
        ScriptedTeacher.seen += [request.args for request in requests]
        return super().generate_until(requests, **more)


@register_model("scripted-teacher-without-template")
class WithoutTemplate(ScriptedTeacher):
    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        raise ValueError("tokenizer.chat_template is not set")


@pytest.fixture(autouse=True)
def nothing_seen():
    ScriptedTeacher.seen.clear()


def teacher(model="scripted-teacher", chat_template=False, **args):
    return Teacher(model, args, chat_template)


def echo(word, rounds=1):
    """Ask for a word, then for the answer in a sentence, and so on."""
    for number in range(rounds):
        word = yield Question(f"say {number}", f"Say {word}", "Now:", until=("\n",))
    return Outcome({}, {"said": word})


def test_hold_gives_what_each_dialogue_read_in_the_order_of_the_keys():
    told = hold(teacher(), {key: lambda key=key: echo(key, 2) for key in ("b", "a", "c")})
    assert list(told.items()) == [(key, {"said": "NOW:"}) for key in ("b", "a", "c")]
    prompts = [args[0] for args in ScriptedTeacher.seen]
    assert prompts == ["Say b\nNow:", "Say a\nNow:", "Say c\nNow:", "Say NOW:\nNow:"]


def test_hold_asks_greedily_and_stops_as_asked():
    hold(teacher(), {"a": lambda: echo("x")})
    assert [settings for _, settings in ScriptedTeacher.seen] == [
        {"do_sample": False, "max_gen_toks": 64, "until": ["\n"]}
    ]


def test_hold_with_a_chat_template_asks_through_it():
    told = hold(teacher(chat_template=True), {"a": lambda: echo("x")})
    assert ScriptedTeacher.seen[0][0] == "<user>Say x<assistant>"
    assert told == {"a": {"said": "X<ASSISTANT>"}}


def test_hold_without_a_template_that_is_wanted_is_told_before_anything_is_asked():
    with pytest.raises(ModelError, match="chat template was asked for"):
        hold(teacher("scripted-teacher-without-template", True), {"a": lambda: echo("x")})
    assert ScriptedTeacher.seen == []


def test_hold_unknown_backend_is_told():
    with pytest.raises(ConfigError, match="Did you mean 'scripted-teacher'"):
        hold(teacher("scripted-techer"), {"a": lambda: echo("x")})


def test_hold_nothing_loads_nothing():
    assert hold(teacher("no such backend"), {}) == {}


def test_hold_lets_the_model_go():
    hold(teacher(), {"a": lambda: echo("x")})
    gc.collect()
    assert list(ScriptedTeacher.alive) == []


def test_hold_answers_are_kept_for_the_next_time():
    for _ in range(2):
        assert hold(teacher(name="one"), {"a": lambda: echo("x")}) == {"a": {"said": "NOW:"}}
    assert len(ScriptedTeacher.seen) == 1


def test_hold_dialogue_that_fails_is_a_bug_that_names_the_document():
    def fails():
        yield Question("say", "x")
        raise RuntimeError("oh")

    dialogues = {"a" * 64: lambda: echo("x", 3), "b" * 64: fails}
    with pytest.raises(CheckError, match=r"document b{12}: RuntimeError: oh") as caught:
        hold(teacher(), dialogues)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_hold_a_real_model_answers(tmp_path):
    folder = save_tiny_gpt2(tmp_path / "model", chat=True)
    for chat in (False, True):
        args = {"pretrained": str(folder), "dtype": "float32"}
        told = hold(Teacher("hf", args, chat), {"a": lambda: echo("x")})
        assert isinstance(told["a"]["said"], str)


def test_hold_local_model_without_a_template_is_told_before_it_is_loaded(tmp_path):
    folder = save_tiny_gpt2(tmp_path / "model")
    with pytest.raises(ModelError, match="its tokenizer's files hold none"):
        hold(teacher("hf", True, pretrained=str(folder)), {"a": lambda: echo("x")})


def hf(folder, chat_template=False, **args):
    return Teacher("hf", {"pretrained": str(folder), **args}, chat_template).identity()


@pytest.fixture
def folder(tmp_path):
    return save_tiny_gpt2(tmp_path / "model", chat=True)


def test_identity_of_a_copy_is_the_same(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    shutil.copytree(folder, tmp_path / "with notes")
    (tmp_path / "with notes" / "README.md").write_text("a model card")
    assert hf(folder) == hf(tmp_path / "copy") == hf(tmp_path / "with notes")


def test_identity_tells_weights_tokenizer_settings_and_template_apart(folder, tmp_path):
    def changed(name, change):
        copy = tmp_path / name
        shutil.copytree(folder, copy)
        change(copy)
        return hf(copy)

    def edit(file, **more):
        def change(copy):
            told = json.loads((copy / file).read_text())
            (copy / file).write_text(json.dumps({**told, **more}))

        return change

    others = [
        hf(save_tiny_gpt2(tmp_path / "other", seed=1, chat=True)),
        changed("code", lambda copy: (copy / "modeling.py").write_text("x = 1")),
        changed("tokenizer", edit("tokenizer_config.json", bos_token="x")),
        changed("config", edit("config.json", layer_norm_epsilon=0.1)),
        changed("generation", edit("generation_config.json", repetition_penalty=2.0)),
        hf(folder, chat_template=True),
        hf(folder, dtype="float32"),
        hf("owner/name"),
        Teacher("vllm", {"pretrained": str(folder)}, False).identity(),
    ]
    assert len({hf(folder), *others}) == len(others) + 1
    assert hf(folder) == changed("version", edit("config.json", transformers_version="0"))


def test_identity_of_an_adapter_is_that_of_its_weights_and_of_its_base(folder, tmp_path):
    def adapter(name, base, weights=b"w", r=8):
        place = tmp_path / name
        place.mkdir()
        told = {"base_model_name_or_path": str(base), "r": r}
        (place / "adapter_config.json").write_text(json.dumps(told))
        (place / "adapter_model.safetensors").write_bytes(weights)
        return hf(place)

    other_base = save_tiny_gpt2(tmp_path / "other", seed=1)
    shutil.copytree(folder, tmp_path / "copied base")
    first = adapter("first", folder)
    assert first == adapter("again", tmp_path / "copied base")
    assert len({
        first, adapter("weights", folder, b"x"), adapter("rank", folder, r=4),
        adapter("base", other_base), hf(folder),
    }) == 5  # fmt: skip
    assert first == hf(folder, peft=str(tmp_path / "first"))


def test_identity_holds_no_secret_and_does_not_depend_on_one():
    def served(key, url="https://host/v1"):
        return teacher("local-chat-completions", api_key=key, base_url=url).identity()

    assert served("one") == served("two") != served("one", "https://other/v1")
    assert served("one", "https://me:pw@host/v1") == served("one", "https://me:xy@host/v1")


def test_identity_is_not_of_its_label():
    args = {"pretrained": "owner/name"}
    x, y = (Teacher("hf", args, False, label) for label in "xy")
    assert x.identity() == y.identity()


def test_teacher_of_a_recipe_is_as_it_says():
    asked = Asked(model="hf", args={"pretrained": "owner/name"}, chat_template=True)
    told = Teacher.of(asked)
    assert told == Teacher("hf", {"pretrained": "owner/name"}, True)
    assert told.label == "hf: owner/name"
    assert Teacher("local-completions", {"model": "m"}, True).label == "local-completions: m"
    assert teacher("dummy").label == "dummy"


def test_require_rows_too_few_counts_the_reasons_and_says_what_to_do():
    with pytest.raises(ModelError) as told:
        require_rows(7, Counter({"equal": 3, "refused": 9}), "pairs of answers")
    assert "7 pairs of answers of the teacher are left, at least 8" in str(told.value)
    assert "dropped: 9 refused, 3 equal" in str(told.value)
    assert "`teacher`" in str(told.value) and "`data`" in str(told.value)
    with pytest.raises(ModelError, match="it wrote none"):
        require_rows(0, {}, "pairs")
    require_rows(8, {"equal": 3}, "pairs")


@register_model("gathering-teacher")
class GatheringTeacher(ScriptedTeacher):
    """Of a data-parallel run: every batch gathers, so ranks with unequal rounds would hang."""

    def __init__(self, **_: Any) -> None:
        super().__init__()
        from torch.distributed import get_rank, get_world_size

        from tests.integration.test_data_parallel import distributed

        distributed(self, get_rank(), get_world_size())

    def generate_until(self, requests, **more):
        lengths = self.all_gather(torch.tensor([len(requests)])).tolist()
        assert len(set(lengths)) == 1, f"ranks sent batches of {lengths}"
        return super().generate_until(requests, **more)


def hold_here(model: str, out: str, count: int, fails: bool) -> None:
    """Run in each process of a test below."""
    from accelerate import PartialState

    PartialState()
    rank = int(os.environ["RANK"])

    def dialogue(n):
        if fails and n == 1:
            raise RuntimeError("only on rank 1")
        return echo(f"w{n}", 1 + n % 3)

    try:
        told: Any = hold(
            teacher(model), {f"key {n}": lambda n=n: dialogue(n) for n in range(count)}
        )
    except CheckError as err:
        told = str(err)
    said = {"told": told, "asked": len(ScriptedTeacher.seen)}
    Path(f"{out}.{rank}").write_text(json.dumps(said), encoding="utf-8")
    torch.distributed.destroy_process_group()


def run_two(tmp_path, model, count, fails=False):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    out = str(tmp_path / "told")
    call = f"hold_here({model!r}, {out!r}, {count}, {fails})"
    code = f"from tests.unit.finetune.test_teacher import hold_here; {call}"
    common = {
        "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true", "SELFCHECK_CACHE": "off",
    }  # fmt: skip
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[3],
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=180)
            assert process.returncode == 0, errors.decode()[-3000:]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return [json.loads(Path(f"{out}.{rank}").read_text()) for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("count", [5, 1])
@pytest.mark.parametrize("model", ["gathering-teacher", "scripted-teacher"])
def test_hold_two_processes_share_the_dialogues_and_both_get_all_outcomes(tmp_path, model, count):
    first, second = run_two(tmp_path, model, count)
    assert first["told"] == second["told"]
    assert list(first["told"]) == [f"key {n}" for n in range(count)]
    assert all(read == {"said": "NOW:"} for read in first["told"].values())
    if count == 5 and model == "scripted-teacher":  # w0, w2, w4 and w1, w3; "Say NOW:" once each
        assert (first["asked"], second["asked"]) == (4, 3)


@pytest.mark.slow
def test_hold_two_processes_dialogue_that_fails_on_one_fails_on_both(tmp_path):
    first, second = run_two(tmp_path, "gathering-teacher", 4, fails=True)
    assert "RuntimeError: only on rank 1" in second["told"] and "rank" in first["told"]
