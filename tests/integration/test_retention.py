"""Retention: lm-eval's own tasks, with examples that depend on the document alone."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM

from harness.errors import ConfigError, DataError, MissingDataError
from harness.evaluate import run
from harness.plan import Plan
from harness.selection import build_manager
from tests.doubles import FunctionLM
from tests.stock import stock_samples

WORDS = """
    lamp river carpet window ladder copper basket engine orchard pencil saddle tunnel marble kettle
    harbour button cellar feather gravel hammer island jacket kitchen lantern meadow needle
""".split()
SUBJECTS = ("abstract_algebra", "high_school_us_history")


def question(rng: random.Random) -> str:
    return f"What is a {' '.join(rng.sample(WORDS, 3))}?"


def arc_row(rng: random.Random, number: int) -> dict[str, Any]:
    many = 3 + number % 3  # as on the hub: some have three options, some five
    labels = list("ABCDE")[:many] if number % 4 else list("12345")[:many]
    options = {"text": rng.sample(WORDS, many), "label": labels}
    return {
        "id": str(number),
        "question": question(rng),
        "choices": options,
        "answerKey": rng.choice(labels),
    }


def hellaswag_row(rng: random.Random, number: int) -> dict[str, Any]:
    return {
        "ind": number,
        "activity_label": rng.choice(WORDS),
        "ctx_a": question(rng),
        "ctx_b": rng.choice(["", "she"]),
        "endings": [f"takes a [step] {' '.join(rng.sample(WORDS, n + 1))}." for n in range(4)],
        "label": str(rng.randrange(4)),
    }


def mmlu_row(rng: random.Random, number: int) -> dict[str, Any]:
    return {
        "question": question(rng),
        "subject": SUBJECTS[number % 2],
        "choices": rng.sample(WORDS, 4),
        "answer": rng.randrange(4),
    }


SETS = {
    "arc_challenge": ("allenai__ai2_arc/ARC-Challenge", "test", "train", arc_row),
    "hellaswag": ("Rowan__hellaswag", "validation", "train", hellaswag_row),
    "mmlu": ("cais__mmlu/all", "test", "dev", mmlu_row),
}


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Small data in hub schema: documents and examples of each set."""
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    told = {}
    for name, (folder, test, shown, row) in SETS.items():
        rng = random.Random(name)
        made = {test: [row(rng, n) for n in range(10)], shown: [row(rng, n) for n in range(60)]}
        (tmp_path / folder).mkdir(parents=True)
        for split, lines in made.items():
            text = "\n".join(map(json.dumps, lines))
            (tmp_path / folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
        told[name] = made
    return told


def ours(lm: Any, name: str, **options: Any) -> list[dict[str, Any]]:
    metadata = options.pop("metadata", None)
    task = f"retention_{name}"
    told = simple_evaluate(
        lm, tasks=[task], task_manager=build_manager(metadata=metadata), **options
    )
    return told["samples"][task]


def prompts(lm: FunctionLM) -> dict[str, str]:
    """Give the few-shot part of each prompt, by the question at its end."""
    split = [prompt.rpartition("\n\n") for prompt in lm.prompts]
    return {asked: shown for shown, _, asked in split}


@pytest.mark.parametrize("name", ["arc_challenge", "hellaswag"])
def test_stock_order_gives_stock_scores_document_by_document(rows, name, tiny_gpt2):
    lm = HFLM(str(tiny_gpt2), device="cpu", batch_size=4, dtype="float32")
    builtin = {"arc_challenge": "arc/arc_challenge.yaml", "hellaswag": "hellaswag/hellaswag.yaml"}
    shots = {"arc_challenge": 25, "hellaswag": 10}[name]
    theirs = stock_samples(lm, builtin[name], rows[name], num_fewshot=shots)
    mine = ours(lm, name, metadata={"fewshot_order": "stock"})
    for our, their in zip(mine, theirs, strict=True):
        assert our["arguments"] == their["arguments"]
        for metric in ("acc", "acc_norm"):
            assert our[metric] == pytest.approx(their[metric], abs=1e-4)


def test_mmlu_is_the_stock_tasks_of_its_subjects_in_one(rows, tiny_gpt2):
    lm = HFLM(str(tiny_gpt2), device="cpu", batch_size=4, dtype="float32")
    mine = {sample["doc"]["question"]: sample for sample in ours(lm, "mmlu")}
    for subject in SUBJECTS:
        splits = {
            split: [row for row in lines if row["subject"] == subject]
            for split, lines in rows["mmlu"].items()
        }
        builtin = f"mmlu/default/mmlu_{subject}.yaml"
        for their in stock_samples(lm, builtin, splits, num_fewshot=5):
            our = mine.pop(their["doc"]["question"])
            assert our["arguments"] == their["arguments"] and our["acc"] == their["acc"]
    assert not mine


def test_mmlu_clusters_are_subjects(rows):
    done = run(Plan("planted", ("retention_mmlu",)))
    assert {sample["cluster"] for sample in done.samples["retention_mmlu"]} == set(SUBJECTS)


def test_examples_depend_on_the_document_and_the_seed_alone(rows):
    whole, part, reseeded = FunctionLM(), FunctionLM(), FunctionLM()
    ours(whole, "arc_challenge")
    ours(part, "arc_challenge", samples={"retention_arc_challenge": [3, 7]})
    ours(reseeded, "arc_challenge", fewshot_random_seed=7)
    told = prompts(whole)
    assert len(prompts(part)) == 2 and prompts(part).items() <= told.items()
    assert all(told[asked] != shown for asked, shown in prompts(reseeded).items())


def test_stock_examples_depend_on_the_documents_before(rows):
    whole, part = FunctionLM(), FunctionLM()
    stock = {"metadata": {"fewshot_order": "stock"}}
    ours(whole, "arc_challenge", **stock)
    ours(part, "arc_challenge", samples={"retention_arc_challenge": [3, 7]}, **stock)
    assert not prompts(part).items() <= prompts(whole).items()


def test_a_document_is_no_example_of_itself(rows, tmp_path):
    asked = rows["arc_challenge"]["test"]
    file = tmp_path / "allenai__ai2_arc" / "ARC-Challenge" / "train.jsonl"
    pool = asked + rows["arc_challenge"]["train"][:16]  # 26: one is left out, 25 are shown
    file.write_text("\n".join(map(json.dumps, pool)), encoding="utf-8")
    lm = FunctionLM()
    ours(lm, "arc_challenge")
    for question_asked, shown in prompts(lm).items():
        assert question_asked not in shown and shown.count("Question:") == 25


def test_normalised_accuracy_divides_by_characters_and_ties_share(rows):
    lm = FunctionLM(score=lambda context, choice: -1.0)
    for sample in ours(lm, "arc_challenge"):
        options = sample["doc"]["choices"]
        gold = options["label"].index(sample["doc"]["answerKey"])
        lengths = [len(text) for text in options["text"]]
        best = [place for place, n in enumerate(lengths) if n == max(lengths)]
        assert sample["acc"] == pytest.approx(1 / len(lengths))
        assert sample["acc_norm"] == pytest.approx((gold in best) / len(best))
        assert sample["ties"] == 1


def test_no_control_is_asked_where_none_is_declared(rows):
    lm = FunctionLM()
    ours(lm, "mmlu")
    assert sum(map(len, lm.batches)) == 4 * 10


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("arc_challenge", {"answerKey": "F"}, "'answerKey' is no label of 'choices': 'F'"),
        ("arc_challenge", {"choices": {"text": ["x"], "label": ["A"]}}, "'choices' is no options"),
        ("hellaswag", {"label": ""}, "'label' is no index of 'endings'"),
        ("hellaswag", {"endings": "x"}, "'endings' is no 4 texts"),
        ("mmlu", {"answer": 4}, "'answer' is no index of 'choices': '4'"),
        ("mmlu", {"choices": ["x"] * 5}, "'choices' is no 4 texts"),
        ("mmlu", {"subject": ""}, "'subject' is no text"),
    ],
)
def test_broken_rows_are_named_before_a_model_is_loaded(rows, name, change, complaint, tmp_path):
    folder, test, shown, _ = SETS[name]
    for split, line in ((test, 2), (shown, 5)):
        broken = [dict(row) for row in rows[name][split]]
        broken[line - 1].update(change)
        file = tmp_path / folder / f"{split}.jsonl"
        whole = file.read_text(encoding="utf-8")
        file.write_text("\n".join(map(json.dumps, broken)), encoding="utf-8")
        with pytest.raises(DataError) as caught:
            run(Plan("no such model is asked for", (f"retention_{name}",)))
        assert f"{split}.jsonl:{line}: {complaint}" in str(caught.value)
        file.write_text(whole, encoding="utf-8")


def test_missing_examples_are_named_like_missing_documents(rows, tmp_path, no_hub):
    (tmp_path / "cais__mmlu" / "all" / "dev.jsonl").unlink()
    with pytest.raises(MissingDataError, match=r"cais/mmlu \[all\] dev"):
        run(Plan("planted", ("retention_mmlu",)))
    left = run(Plan("planted", ("retention_mmlu", "retention_hellaswag"), skip_unavailable=True))
    assert list(left.tasks) == ["retention_hellaswag"]


@pytest.mark.parametrize(
    ("name", "kept", "complaint"),
    [
        ("arc_challenge", 20, r"train: 20 rows for 25 few-shot examples"),
        ("mmlu", 9, r"dev with subject = \w+: 4 rows for 5 few-shot examples"),
    ],
)
def test_too_few_examples_are_an_error_before_a_model_is_loaded(
    rows, tmp_path, name, kept, complaint
):
    folder, _, shown, _ = SETS[name]
    few = "\n".join(map(json.dumps, rows[name][shown][:kept]))
    (tmp_path / folder / f"{shown}.jsonl").write_text(few, encoding="utf-8")
    with pytest.raises(DataError, match=complaint):
        run(Plan("no such model is asked for", (f"retention_{name}",)))


def test_examples_do_not_depend_on_the_order_of_their_file(rows, tmp_path):
    folder, _, shown, _ = SETS["arc_challenge"]
    first, second = FunctionLM(), FunctionLM()
    ours(first, "arc_challenge")
    turned = "\n".join(map(json.dumps, reversed(rows["arc_challenge"][shown])))
    (tmp_path / folder / f"{shown}.jsonl").write_text(turned, encoding="utf-8")
    ours(second, "arc_challenge")
    assert prompts(first) == prompts(second)


def test_run_records_where_the_examples_come_from(rows):
    done = run(Plan("planted", ("retention_mmlu",)))
    shown = done.tasks["retention_mmlu"].data["fewshot"]
    assert (shown["split"], shown["documents"]) == ("dev", 60) and shown["fingerprint"]
    assert done.tasks["retention_mmlu"].variant == {"fewshot_order": "document"}


def test_option_that_lm_evals_processing_empties_is_scored(rows, tmp_path):
    folder, test, _, _ = SETS["hellaswag"]
    changed = [dict(row) for row in rows["hellaswag"][test]]
    changed[3]["endings"] = ["[gone]", "b", "c", "d"]
    text = "\n".join(map(json.dumps, changed))
    (tmp_path / folder / f"{test}.jsonl").write_text(text, encoding="utf-8")
    lm = FunctionLM(score=lambda context, choice: -1.0 - len(choice))
    told = ours(lm, "hellaswag")[3]
    assert told["acc"] == told["acc_norm"] == float(told["doc"]["label"] == "0")


def test_planted_model_goes_through_all_of_retention(rows):
    done = run(Plan("planted", ("selfcheck-retention",)))
    assert len(done.tasks) == 4 and not done.failed
    assert done.tasks["retention_generation"].metrics["refused"].value == 0


def test_unknown_order_of_examples_is_named():
    with pytest.raises(ConfigError, match="unknown fewshot_order: got 'random'"):
        build_manager(metadata={"fewshot_order": "random"}).load(["retention_mmlu"])
