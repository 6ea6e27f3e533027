"""What our tasks rely on in lm-eval, and what lm-eval's options do to them: each point on its own.

An upgrade of lm-eval that breaks one of these must fail here, loudly.
"""

from __future__ import annotations

import json
import math
import pickle

import pytest
import yaml
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from harness import failures
from harness.checks.trial import METRICS
from harness.data import tasks_path
from harness.errors import ConfigError, ModelError
from harness.metrics import ClusteredValue, applicable_mean
from harness.planted import PlantedLM
from tests.doubles import FunctionLM

IMPORTANCE = "sample_importance_sentiment"
CHECKS = [f"sample_{check}_sentiment" for check in ("counterfactual", "importance", "redaction")]


def manager(**metadata):
    return TaskManager(include_path=tasks_path(), include_defaults=False, metadata=metadata)


def evaluate(tasks, lm=None, metadata=None, **options):
    return simple_evaluate(
        model=lm or PlantedLM(),
        tasks=tasks,
        task_manager=manager(**(metadata or {})),
        **{"limit": 6, **options},
    )


def config(**changes):
    told = dict(manager()._factory._load_full_config(manager().task_index[IMPORTANCE]))
    told.pop("tag")
    return {**told, **changes}


def test_simple_evaluate_every_metric_is_reported_with_its_error():
    results = evaluate([IMPORTANCE], limit=12)["results"][IMPORTANCE]
    told = {name: results[f"{name},none"] for name in METRICS}
    errors = {name: results[f"{name}_stderr,none"] for name in METRICS}
    assert told["committed"] > 0.5 and told["faithfulness"] == 1.0
    assert all(isinstance(error, float) for error in errors.values())


def test_simple_evaluate_samples_hold_one_json_string_and_every_metric():
    samples = evaluate([IMPORTANCE])["samples"][IMPORTANCE]
    assert len(samples) == 6
    for sample in samples:
        told = json.loads(sample["filtered_resps"][0])
        assert told["stages"][0]["stage"] == "predict"
        assert set(sample["metrics"]) == set(METRICS)
        json.dumps({key: sample[key] for key in ("arguments", "resps", *METRICS)})


def test_simple_evaluate_several_tasks_share_the_classification_of_a_text():
    lm = FunctionLM(lambda prompt: "positive")
    evaluate(CHECKS, lm)
    first = [args[0] for args in lm.batches[0]]
    assert len(first) == 6, "three checks on six texts ask about each text once"


def test_simple_evaluate_predict_only_gives_samples_and_no_metrics():
    results = evaluate([IMPORTANCE], predict_only=True)
    assert results["results"][IMPORTANCE]["bypass,none"] == 999
    assert not any(name.startswith("lift") for name in results["results"][IMPORTANCE])
    assert json.loads(results["samples"][IMPORTANCE][0]["filtered_resps"][0])["stages"]


def test_simple_evaluate_gen_kwargs_reach_every_question():
    lm = FunctionLM(lambda prompt: "positive")
    evaluate([IMPORTANCE], lm, gen_kwargs="max_gen_toks=7,until=###")
    limits = [args[1] for batch in lm.batches for args in batch]
    assert limits and all(limit["max_gen_toks"] == 7 for limit in limits)
    assert all(limit["until"] in ("###", ["###"]) for limit in limits)


def test_simple_evaluate_system_instruction_and_chat_template_reach_every_question():
    lm = FunctionLM(lambda prompt: "positive")
    evaluate([IMPORTANCE], lm, system_instruction="Be brief.", apply_chat_template=True)
    assert all(prompt.startswith("<system>Be brief.<user>") for prompt in lm.prompts)
    assert all("until" not in args[1] for batch in lm.batches for args in batch)


def test_simple_evaluate_use_cache_answers_from_it(tmp_path):
    first, second = FunctionLM(lambda p: "positive"), FunctionLM(lambda p: "negative")
    once = evaluate([IMPORTANCE], first, use_cache=str(tmp_path / "cache"))
    again = evaluate([IMPORTANCE], second, use_cache=str(tmp_path / "cache"))
    assert first.prompts and not second.prompts
    assert once["samples"][IMPORTANCE][0]["resps"] == again["samples"][IMPORTANCE][0]["resps"]


def test_simple_evaluate_num_fewshot_changes_nothing():
    lm, other = FunctionLM(lambda p: "positive"), FunctionLM(lambda p: "positive")
    evaluate([IMPORTANCE], lm)
    evaluate([IMPORTANCE], other, num_fewshot=5)
    assert lm.prompts == other.prompts


def test_simple_evaluate_repeats_run_and_the_first_one_counts():
    task = manager().load([config(repeats=3)])["tasks"][IMPORTANCE]
    results = evaluate([task], gen_kwargs="do_sample=True,temperature=1.0")
    sample = results["samples"][IMPORTANCE][0]
    assert [len(told) for told in sample["resps"]] == [3]
    assert sample["filtered_resps"] == [sample["resps"][0][0]]


def test_simple_evaluate_cache_requests_is_ignored_with_a_line(caplog):
    evaluate([IMPORTANCE], cache_requests=True)
    assert "cache_requests is ignored" in caplog.text


def test_simple_evaluate_samples_option_takes_those_documents():
    results = evaluate([IMPORTANCE], limit=None, samples={IMPORTANCE: [3, 17]})
    assert [sample["doc_id"] for sample in results["samples"][IMPORTANCE]] == [3, 17]


def test_simple_evaluate_write_out_prints_a_prompt(caplog):
    caplog.set_level("INFO", "lm_eval")
    evaluate([IMPORTANCE], write_out=True)
    assert "What is the sentiment of the following text?" in caplog.text


def test_simple_evaluate_chat_template_asked_for_but_not_there_stops_before_any_question():
    class NoTemplate(FunctionLM):
        def apply_chat_template(self, chat_history, add_generation_prompt=True):
            raise ValueError("tokenizer.chat_template is not set")

    lm = NoTemplate()
    with pytest.raises(ModelError, match=r"chat template was asked for.*chat_template is not set"):
        evaluate([IMPORTANCE], lm, apply_chat_template=True)
    assert not lm.prompts


def test_simple_evaluate_bug_in_a_check_leaves_the_other_tasks_whole(monkeypatch):
    from harness.checks import CHECKS as checks

    def buggy(case):
        yield from case.first_answer()
        raise RuntimeError("oops")

    monkeypatch.setitem(checks, "redaction", buggy)
    with failures.collected() as failed:
        results = evaluate(CHECKS)["results"]
    assert list(failed) == ["sample_redaction_sentiment"]
    assert math.isnan(results["sample_redaction_sentiment"]["lift,none"])
    assert results["sample_importance_sentiment"]["faithfulness,none"] == 1.0


def test_dump_config_holds_our_keys_and_no_secret_of_the_model_arguments():
    secret = {"api_key": "sk-secret", "version": 99, "pretrained": "x"}
    results = evaluate([IMPORTANCE], metadata=secret)
    told = json.dumps(results["configs"][IMPORTANCE], default=str)
    assert "sk-secret" not in told and "pretrained" not in told
    assert results["versions"][IMPORTANCE] == 1.1
    assert results["configs"][IMPORTANCE]["domain"] == "sentiment"
    assert (
        "List the words of the following {{ noun }}"
        in results["configs"][IMPORTANCE]["explain"]["prompt"]
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"domian": "sentiment"}, "unknown key: got 'domian'. Did you mean 'domain'?"),
        ({"doc_to_text": "{{text}}"}, "unknown key: got 'doc_to_text'"),
        ({"domain": "sentimant"}, "unknown domain: got 'sentimant'. Did you mean 'sentiment'?"),
        ({"check": "importence"}, "unknown check: got 'importence'. Did you mean 'importance'?"),
        ({"chance": {"lift": 0}}, "chance lacks the metric 'accuracy'"),
        ({"columns": {"txt": "text"}}, "unexpected keyword argument 'txt'"),
        ({"explain": {"prompt": "{{text}}", "max_toks": 3}}, "Did you mean 'max_tokens'?"),
        ({"explain": {"prompt": "{{txet}}"}}, "'txet' is undefined; known: text, wanted, view"),
        ({"topic": "{{hypothesis}}"}, "'hypothesis' is undefined"),
        ({"persona": "yuo"}, "unknown persona: got 'yuo'. Did you mean 'you'?"),
        ({"target": "implict"}, "unknown target: got 'implict'. Did you mean 'implicit'?"),
        ({"variants": {"masks": []}}, "unknown axis of variants: got 'masks'"),
        ({"cluster": "{{ text"}, "cluster: "),
        (
            {"dataset_kwargs": {"data_files": "x"}},
            "dataset_kwargs: got 'data_files'",
        ),
        ({"explain": {"prompt": "{{text", "cue": ""}}, "explain: "),
        ({"explain": {"prompt": "{{text}}", "until": "\n"}}, "until must be a list of strings"),
    ],
)
def test_task_file_with_a_key_nobody_reads_or_a_wrong_name_names_the_file_and_the_nearest(
    change, complaint, tmp_path
):
    path = tmp_path / "mine.yaml"
    shipped = {"include": str(tasks_path() / "sentiment" / f"{IMPORTANCE}.yaml")}
    path.write_text(yaml.safe_dump({**shipped, "task": "mine", **change}), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        TaskManager(include_path=tmp_path, include_defaults=False).load(["mine"])
    assert complaint in str(caught.value) and str(caught.value).startswith(str(path))


def test_building_a_task_loads_no_data(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("data was loaded")

    monkeypatch.setattr("harness.base_task.load_split", refuse)
    manager().load(["selfcheck-faithfulness", "selfcheck-sample", "selfcheck-truthfulqa"])


def test_glob_takes_leaf_tasks_only_and_overlapping_tags_expand_without_error():
    names = manager().match_tasks(["selfcheck_*"])
    assert names and all(name in manager().all_subtasks for name in names)
    assert not manager().all_groups
    loaded = manager().load([*names, "selfcheck-faithfulness", "selfcheck"])["tasks"]
    assert sorted(loaded) == names


def test_missing_data_of_all_tasks_is_named_before_the_first_question(no_real_data):
    from harness.errors import MissingDataError

    lm = FunctionLM()
    with pytest.raises(MissingDataError) as caught:
        evaluate(["selfcheck_importance_imdb", "selfcheck_redaction_sst2"], lm)
    assert "stanfordnlp/imdb" in str(caught.value) and "nyu-mll/glue" in str(caught.value)
    assert "selfcheck-sample" in str(caught.value) and "SELFCHECK_DATA" in str(caught.value)
    assert not lm.prompts


def test_applicable_mean_has_a_clustered_error_in_lm_eval():
    from lm_eval.evaluator_utils import stderr_for_metric

    values = [
        ClusteredValue(value, cluster) for value, cluster in zip([0, 1, 1, 0], "aabb", strict=True)
    ]
    assert stderr_for_metric(metric=applicable_mean, bootstrap_iters=10)([*values, None]) == 0.0
    assert math.isnan(applicable_mean([None, None]))


def test_clustered_value_survives_pickling_between_ranks():
    value = pickle.loads(pickle.dumps(ClusteredValue(0.5, "story 1")))
    assert (value, value.cluster) == (0.5, "story 1")
