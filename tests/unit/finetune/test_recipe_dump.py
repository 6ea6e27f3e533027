from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finetune.reading.recipe_file import dump_recipe, read_recipe, recipe_digest
from finetune.recipe import (
    Adapter,
    Asked,
    DistillData,
    EcSftData,
    GrathData,
    LaffiData,
    Model,
    Recipe,
    Score,
    Scratch,
)
from harness.secrets import without_secrets
from tests.unit.finetune.recipe_cases import (
    EC_SFT,
    LEAST,
    SHIPPED,
    write,
)

TEXT = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)
NAMES = st.lists(TEXT, min_size=1, max_size=3, unique=True).map(tuple)
COUNTS = st.integers(1, 10**6)
SEEDS = st.integers(0, 2**32 - 1)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")) | st.sampled_from(["no", "5e-4", "010", "2024-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
ARGS = st.dictionaries(TEXT, PLAIN, max_size=3).filter(lambda args: without_secrets(args) == args)
BACKENDS = st.sampled_from(["hf", "vllm", "planted", "local-chat-completions"])
ASKEDS = st.builds(Asked, model=BACKENDS, args=ARGS, chat_template=st.booleans())
ADAPTERS = st.builds(
    Adapter,
    r=COUNTS,
    alpha=COUNTS,
    dropout=st.floats(0, 1, exclude_max=True),
    targets=TEXT | NAMES.filter(lambda names: "lm_head" not in names),
)
MODELS = st.builds(
    Model,
    name=TEXT,
    revision=TEXT,
    dtype=st.sampled_from(["auto", "float32", "bfloat16", "float16"]),
    chat_template=st.booleans(),
    adapter=st.none() | ADAPTERS,
)
COMMON: dict[str, Any] = {
    "questions": TEXT,
    "config": st.none() | TEXT,
    "split": TEXT,
    "revision": TEXT,
    "subset": st.none() | COUNTS,
    "subset_seed": SEEDS,
}
RATES = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
PATTERNS = ["selfcheck_truthfulqa_mc1", "selfcheck-truthfulqa", "retention_*", "*", "sample_[a-q]*"]
TASKS = st.lists(st.sampled_from(PATTERNS), min_size=1, unique=True).map(tuple)
SCORES = st.builds(
    Score,
    tasks=TASKS,
    retention=TASKS | st.just(()),
    subset=st.none() | COUNTS,
    subset_seed=SEEDS,
    simulator=st.none() | ASKEDS,
    follow_up_count=st.none() | st.integers(1, 100),
    batch_size=COUNTS | st.just("auto"),
)
SHARED: dict[str, Any] = {
    "seed": SEEDS,
    "model": MODELS,
    "teacher": st.none() | ASKEDS,
    "score": SCORES,
}
GRATHS = st.builds(
    Recipe,
    method=st.just("grath"),
    data=st.builds(
        GrathData, **COMMON, rounds=COUNTS, reference=st.sampled_from(["pretrained", "current"])
    ),
    trainer=st.fixed_dictionaries(
        {"disable_dropout": st.just(False)}, optional={"beta": RATES, "max_steps": COUNTS}
    ),
    **SHARED,
)
EC_SFTS = st.builds(
    Recipe,
    method=st.just("ec_sft"),
    data=st.builds(
        EcSftData,
        **COMMON,
        kind=st.sampled_from(["yes_no", "options"]),
        columns=st.fixed_dictionaries({}, optional={"answer": TEXT}),
        explanation=st.none() | TEXT,
        follow_ups=st.integers(1, 100),
        dev=st.floats(0, 0.5, exclude_min=True, exclude_max=True),
        learning_rates=st.lists(RATES, min_size=1, max_size=3, unique=True).map(tuple),
    ),
    **SHARED,
    trainer=st.fixed_dictionaries({}, optional={"weight_decay": st.floats(0, 1)}),
)
LAFFIS = st.builds(
    Recipe,
    method=st.just("laffi"),
    data=st.builds(LaffiData, **COMMON, context=TEXT, answers=TEXT),
    **SHARED,
    trainer=st.fixed_dictionaries({}, optional={"weight_decay": st.floats(0, 1)}),
)
FROM_NOTHING = st.builds(
    Model,
    name=TEXT,
    architecture=st.just("seq2seq"),
    scratch=st.builds(
        Scratch,
        type=st.just("t5"),
        config=st.fixed_dictionaries({}, optional={"d_ff": st.integers(1, 64)}),
        seed=SEEDS,
    ),
    chat_template=st.just(False),
    adapter=st.none(),
)
GIVEN = {"explanations": st.just("given"), "explanation": TEXT, "teacher_answer": st.none() | TEXT}
OBJECTIVES = st.lists(st.sampled_from(["mt_re", "mt_ra", "mt_cot"]), min_size=1, unique=True)
DISTILLS = st.builds(
    Recipe,
    method=st.just("distill"),
    data=st.builds(
        DistillData,
        **COMMON,
        **GIVEN,
        kind=st.sampled_from(["yes_no", "options"]),
        objectives=OBJECTIVES.map(tuple),
        controls=st.lists(st.sampled_from(["answer_only", "shuffled"]), unique=True).map(tuple),
        alpha=st.floats(0, 1, exclude_min=True, exclude_max=True),
    ),
    **{**SHARED, "model": FROM_NOTHING, "teacher": st.none()},
    trainer=st.fixed_dictionaries({}, optional={"weight_decay": st.floats(0, 1)}),
)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(recipe=GRATHS | EC_SFTS | LAFFIS | DISTILLS)
def test_dump_recipe_is_read_back_as_an_equal_recipe(
    tmp_path_factory: pytest.TempPathFactory, recipe: Recipe
) -> None:
    file = tmp_path_factory.mktemp("r") / "recipe.yaml"
    file.write_text(dump_recipe(recipe), encoding="utf-8", newline="")
    again = read_recipe(file)
    assert again == recipe
    assert dump_recipe(again) == dump_recipe(recipe)
    assert recipe_digest(again) == recipe_digest(recipe)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_dump_recipe_shipped_recipe_is_read_back(tmp_path: Path, file: Path) -> None:
    recipe = read_recipe(file)
    assert read_recipe(write(tmp_path, dump_recipe(recipe))) == recipe


def test_dump_recipe_small_floats_are_floats_to_any_yaml(tmp_path: Path) -> None:
    text = dump_recipe(read_recipe(write(tmp_path, EC_SFT)))
    assert "1.0e-05" in text
    assert yaml.safe_load(text)["data"]["learning_rates"] == [1e-5, 1e-4]


def test_recipe_digest_other_writing_is_the_same_other_value_is_not(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, LEAST))
    (tmp_path / "b").mkdir()
    spelt_out = json.dumps({**LEAST, "seed": 0, "teacher": None, "trainer": {}})
    same = read_recipe(write(tmp_path / "b", spelt_out))
    assert recipe_digest(same) == recipe_digest(recipe)
    assert recipe_digest(replace(recipe, seed=1)) != recipe_digest(recipe)
    one, one_point_0 = ({"max_grad_norm": value} for value in (1, 1.0))
    digests = {recipe_digest(replace(recipe, trainer=told)) for told in (one, one_point_0)}
    assert len(digests) == 1
