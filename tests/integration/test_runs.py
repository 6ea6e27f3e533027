"""Whole runs through `harness.evaluate`, and what is on disk afterwards."""

from __future__ import annotations

import json
import math
import shutil

import msgspec
import pytest

from harness.data import tasks_path
from harness.errors import ConfigError, MissingDataError, ModelError
from harness.evaluate import run
from harness.plan import Plan
from harness.repeat import like
from harness.run_files import check_absent, read_run, write_run
from harness.secrets import without_secrets
from harness.selection import build_manager, draw_subset, match_names
from tests.doubles import FunctionLM
from tests.records import make_run, task_run
from tests.tiny import save_tiny_gpt2

IMPORTANCE = "sample_importance_sentiment"
HOSTILE = (
    "\x00\x1b[2J<script>alert(1)</script>=cmd|'/c calc'!A0 \ud800 {{ 7*7 }} \u202e" + "ha " * 5000
)


def records(folder):
    told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    samples = {
        path.stem.removeprefix("samples_"): [
            json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()
        ]
        for path in folder.glob("samples_*.jsonl")
    }
    return told, samples


def test_run_record_says_what_was_measured_on_what_with_what(tmp_path):
    done = run(Plan("planted", (IMPORTANCE, "sample_truthfulness_mc1"), subset=8, subset_seed=3))
    told, samples = records(write_run(done, tmp_path / "run"))
    task = told["tasks"][IMPORTANCE]
    assert (task["documents"], task["data"]["documents"], task["version"]) == (8, 60, 1.1)
    assert len(task["data"]["fingerprint"]) == 64
    assert task["data"]["loaded_from"] == "selfcheck-sample/sentiment/test.jsonl"
    assert told["settings"]["subset"] == 8 and told["settings"]["subset_seed"] == 3
    assert told["environment"]["packages"]["lm-eval"] and told["model"]["fingerprint"]
    lift = task["metrics"]["lift"]
    assert (
        lift["interval"]["low"] <= lift["value"] <= lift["interval"]["high"] and lift["chance"] == 0
    )
    sample = samples[IMPORTANCE][0]
    assert {"doc_id", "doc_hash", "cluster", "doc", "metrics", "stages", "read"} <= set(sample)
    choice = samples["sample_truthfulness_mc1"][0]
    assert len(choice["choices"]) == len(choice["answer_only"]) > 1


@pytest.mark.parametrize(
    "answer",
    ["", "I'm sorry, but I can't help with that.", "no " * 20000, HOSTILE],
    ids=["empty", "refusal", "repetition", "hostile"],
)
def test_run_hostile_and_useless_answers_are_data_and_lose_nothing(tmp_path, answer):
    lm = FunctionLM(lambda prompt: answer if "Reply with" in prompt else "positive")
    tasks = ("sample_counterfactual_sentiment", IMPORTANCE, "sample_redaction_sentiment")
    done = run(Plan(lm, tasks, subset=4))
    told, samples = records(write_run(done, tmp_path / "run"))
    assert done.failed == {}
    for name in tasks:
        assert told["tasks"][name]["metrics"]["faithfulness"]["value"] == 0
        assert told["tasks"][name]["metrics"]["faithfulness"]["n"] == 4
        assert samples[name][0]["stages"][1]["answer"] == answer


def test_run_prompts_longer_than_the_context_are_counted(tmp_path):
    folder = save_tiny_gpt2(tmp_path / "short", positions=512)
    plan = Plan("hf", (IMPORTANCE,), {"pretrained": str(folder)}, subset=4, batch_size=2)
    told, samples = records(write_run(run(plan), tmp_path / "run"))
    # a byte is a token; of 512, an explanation may have 128 and other answers 24
    for sample in samples[IMPORTANCE]:
        for stage in sample["stages"]:
            room = 512 - (128 if stage["stage"] == "explain" else 24)
            assert stage["prompt_cut"] == (len(stage["prompt"].encode()) > room)
    assert told["tasks"][IMPORTANCE]["prompts_cut"] == 4


def test_run_answers_that_reach_their_limit_are_counted_and_rewrites_among_them_unreadable(
    tmp_path,
):
    folder = save_tiny_gpt2(tmp_path / "endless")  # random weights: it never ends by itself
    options = {"gen_kwargs": "max_gen_toks=6"}
    tasks = ("sample_redaction_sentiment",)
    plan = Plan("hf", tasks, {"pretrained": str(folder)}, subset=3, batch_size=3, options=options)
    task = run(plan).tasks[tasks[0]]
    assert task.answers_cut == task.documents == 3


def test_run_backend_without_log_likelihoods_fails_the_choices_alone(tmp_path):
    class Chat(FunctionLM):
        def loglikelihood(self, requests, **_):
            raise NotImplementedError("chat completions give none")

    done = run(
        Plan(Chat(lambda prompt: "positive"), ("sample_truthfulness_mc1", IMPORTANCE), subset=3)
    )
    assert list(done.failed) == ["sample_truthfulness_mc1"]
    assert "Chat gives no log-likelihoods" in done.failed["sample_truthfulness_mc1"]
    assert done.tasks[IMPORTANCE].metrics["committed"].value == 1


def test_run_failure_names_the_document_by_its_hash_also_in_a_subset():
    lm = FunctionLM(lambda prompt: "positive")
    lm.score = lambda context, choice: math.nan if "Q: \n" not in context else -1.0
    done = run(Plan(lm, ("sample_truthfulness_mc1",), subset=2, subset_seed=5))
    first = done.samples["sample_truthfulness_mc1"][0]["doc_hash"]
    assert f"({first[:12]})" in done.failed["sample_truthfulness_mc1"]


def test_run_broken_checkpoint_fails_its_choices_and_the_other_task_is_whole(tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    folder = save_tiny_gpt2(tmp_path / "nan")
    weights = load_file(folder / "model.safetensors")
    weights["transformer.ln_f.weight"][:] = math.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert torch.isnan(load_file(folder / "model.safetensors")["transformer.ln_f.weight"]).all()
    tasks = ("sample_truthfulness_mc1", IMPORTANCE)
    done = run(Plan("hf", tasks, {"pretrained": str(folder)}, subset=3, batch_size=4))
    assert list(done.failed) == ["sample_truthfulness_mc1"]
    assert "document" in done.failed["sample_truthfulness_mc1"]
    told = done.tasks[IMPORTANCE].metrics["committed"]
    assert (told.value, told.n) == (0, 3), "what it writes is no answer"
    told, _ = records(write_run(done, tmp_path / "run"))
    assert told["tasks"]["sample_truthfulness_mc1"]["metrics"] == {}


def test_run_model_without_chat_template_is_an_error_before_it_is_loaded(tiny_gpt2, monkeypatch):
    from lm_eval.models.huggingface import HFLM

    def refuse(*args, **kwargs):
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(HFLM, "__init__", refuse)
    plan = Plan(
        "hf", (IMPORTANCE,), {"pretrained": str(tiny_gpt2)}, options={"apply_chat_template": True}
    )
    with pytest.raises(ModelError, match="chat template was asked for"):
        run(plan)


def test_run_second_time_asks_nothing_and_gives_the_same():
    first, second = (FunctionLM(lambda prompt: "positive", name="same") for _ in range(2))
    once, again = (run(Plan(lm, (IMPORTANCE,), subset=6)) for lm in (first, second))
    assert first.prompts and not second.prompts
    assert once.samples == again.samples


def test_run_missing_data_is_named_before_a_model_is_loaded(no_real_data):
    plan = Plan(
        "hf", ("selfcheck_importance_imdb", "selfcheck_redaction_sst2"), {"pretrained": "x"}
    )
    with pytest.raises(MissingDataError) as caught:
        run(plan)
    assert "stanfordnlp/imdb" in str(caught.value) and "nyu-mll/glue" in str(caught.value)


def test_run_skip_unavailable_leaves_out_with_a_line(no_real_data, caplog):
    plan = Plan(
        "planted", ("selfcheck_importance_imdb", IMPORTANCE), subset=3, skip_unavailable=True
    )
    assert list(run(plan).tasks) == [IMPORTANCE]
    assert "Left out: selfcheck_importance_imdb" in caplog.text


def test_run_skip_unavailable_with_nothing_left_is_an_error(no_real_data):
    with pytest.raises(MissingDataError, match="stanfordnlp/imdb"):
        run(Plan("planted", ("selfcheck_importance_imdb",), skip_unavailable=True))


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        (
            Plan("planted", ("sample_importence_sentiment",)),
            "Did you mean 'sample_importance_sentiment'",
        ),
        (Plan("planted", ("selfcheck-smaple",)), "Did you mean 'selfcheck-sample'"),
        (Plan("plantd", (IMPORTANCE,)), "Did you mean 'planted'"),
        (Plan("planted", (IMPORTANCE,), {"behaviour": "onest"}), "Did you mean 'honest'"),
        (Plan("planted", (IMPORTANCE,), subset=0), "subset must be at least 1"),
        (Plan("planted", (IMPORTANCE,), subset=3, options={"limit": 3}), "not both"),
    ],
)
def test_run_wrong_names_and_options_offer_the_nearest(plan, complaint):
    with pytest.raises(ConfigError, match=complaint):
        run(plan)


def test_run_model_that_cannot_be_loaded_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="cannot be loaded"):
        run(Plan("hf", (IMPORTANCE,), {"pretrained": str(tmp_path)}))


def test_write_run_is_complete_or_absent(tmp_path, monkeypatch):
    done = run(Plan("planted", (IMPORTANCE,), subset=2))
    monkeypatch.setattr("harness.run_files._plain", lambda told: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_run(done, tmp_path / "runs" / "one")
    assert list((tmp_path / "runs").iterdir()) == []


def test_check_absent_folder_with_content_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="is there already"):
        check_absent(tmp_path)


def test_without_secrets_blanks_arguments_by_name_and_in_command_lines():
    told = without_secrets(
        {
            "args": {
                "api_key": "sk-1",
                "base_url": "http://h",
                "auth_token": "sk-2",
                "max_tokens": 5,
            },
            "command": [
                "--model-args",
                "pretrained=m,api_key=sk-3,x=1",
                "header={'Authorization': 'Bearer sk-4'}",
            ],
        }
    )
    assert "sk-" not in json.dumps(told)
    assert told["args"]["base_url"] == "http://h" and told["command"][1].endswith("x=1")
    assert told["args"]["max_tokens"] == 5


def test_draw_subset_is_the_same_for_every_order_of_the_documents():
    hashes = [f"{number:064x}" for number in range(200)]
    drawn = {hashes[place] for place in draw_subset(hashes, 20, 0)}
    backwards = hashes[::-1]
    assert {backwards[place] for place in draw_subset(backwards, 20, 0)} == drawn
    assert draw_subset(hashes, 20, 0) == sorted(draw_subset(hashes, 20, 0))
    assert draw_subset(hashes, 20, 1) != draw_subset(hashes, 20, 0)
    assert draw_subset(hashes, 500, 0) == list(range(200))


def test_match_names_tags_and_globs_expand_once_each():
    manager = build_manager()
    names = match_names(
        ["selfcheck-faithfulness", "selfcheck_*", "selfcheck_importance_imdb"], manager
    )
    assert len(names) == len(set(names)) and all(name.startswith("selfcheck_") for name in names)


def test_like_repeats_a_recorded_run_for_another_checkpoint(tmp_path):
    folder = save_tiny_gpt2(tmp_path / "model", chat=True)
    shutil.copytree(tasks_path(), tmp_path / "mine")
    plan = Plan(
        "hf",
        (IMPORTANCE, "retention_generation"),
        {"pretrained": str(folder), "dtype": "float32", "add_bos_token": True, "max_length": 900},
        subset=3,
        subset_seed=7,
        skip_unavailable=True,
        batch_size=2,
        include_path=(tmp_path / "mine",),
        variants=frozenset({"persona"}),
        metadata={"fewshot_order": "stock"},
        options={
            "apply_chat_template": True,
            "fewshot_as_multiturn": True,
            "system_instruction": "Be brief.",
            "gen_kwargs": {"max_gen_toks": 5},
            "random_seed": 1,
            "numpy_random_seed": 2,
            "torch_random_seed": 3,
            "fewshot_random_seed": 4,
        },
    )
    done = read_run(write_run(run(plan), tmp_path / "run"))
    again = like(done.record, str(folder))
    assert again.model_args == plan.model_args
    assert again.options == plan.options
    for name in ("model", "subset", "subset_seed", "batch_size", "variants", "metadata"):
        assert getattr(again, name) == getattr(plan, name), name
    assert again.include_path == (str(tmp_path / "mine"),)
    repeated = run(again)
    for name, task in done.tasks.items():
        assert repeated.tasks[name].metrics == task.metrics
        assert repeated.tasks[name].conditions == task.conditions
    assert len(repeated.tasks) == len(done.tasks) > 3


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"backend": "planted", "args": {}}, "was no checkpoint"),
        ({"args": {"pretrained": "m", "token": "***"}}, r"secrets are not recorded \(token\)"),
        (
            {"settings": {"system_instruction": "The password: ***."}},
            r"secrets are not recorded \(system_instruction\)",
        ),
    ],
)
def test_like_refuses_what_a_record_cannot_repeat(changed, complaint):
    settings = changed.pop("settings", None)
    record = make_run({"t": task_run({"acc": [1.0]})}, settings=settings, **changed).record
    with pytest.raises(ConfigError, match=complaint):
        like(record, "checkpoint")


def test_like_of_an_imported_run_is_refused():
    record = make_run({"t": task_run({"acc": [1.0]})}).record
    with pytest.raises(ConfigError, match="does not tell all that was asked for"):
        like(msgspec.structs.replace(record, imported="results.json"), "checkpoint")


def test_run_include_path_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="there is no such folder"):
        run(Plan("planted", (IMPORTANCE,), include_path=(tmp_path / "nowhere",)))


def test_conditions_tell_prompts_sampling_and_examples_apart(tmp_path):
    def conditions(name: str, metadata: dict[str, str] | None = None, **config: object) -> object:
        manager = build_manager(metadata=metadata)
        task = manager.load([name])["tasks"][name]
        for key, value in config.items():
            task.set_config(key, value)
        return task.conditions()

    assert conditions(IMPORTANCE) == conditions(IMPORTANCE)
    assert (
        conditions(IMPORTANCE)["definition"]
        != conditions("sample_redaction_sentiment")["definition"]
    )
    sampled = {"do_sample": True, "until": []}
    assert conditions(IMPORTANCE, generation_kwargs=sampled) != conditions(IMPORTANCE)
    stock = conditions("retention_mmlu", {"fewshot_order": "stock"})
    assert stock != conditions("retention_mmlu")
