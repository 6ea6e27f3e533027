from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from finetune.methods import METHODS
from finetune.reading.recipe_file import read_recipe
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
from tests.unit.finetune.recipe_cases import (
    DISTILL,
    EC_SFT,
    GRATH,
    LAFFI,
    LEAST,
    SHIPPED,
    changed,
    faults,
    only_fault,
    write,
)


def test_read_recipe_full_grath_gives_each_value(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, GRATH)) == Recipe(
        method="grath",
        seed=17,
        model=Model(
            name="org/model",
            revision="abc",
            dtype="bfloat16",
            chat_template=True,
            adapter=Adapter(r=8, alpha=16, dropout=0.05, targets=("q_proj", "v_proj")),
            merge=True,
        ),
        data=GrathData(
            questions="allenai/ai2_arc",
            config="ARC-Challenge",
            split="train",
            revision="def",
            subset=200,
            subset_seed=1,
            rounds=2,
            reference="pretrained",
        ),
        teacher=Asked(model="hf", args={"pretrained": "org/teacher"}, chat_template=True),
        trainer=GRATH["trainer"],
        score=Score(
            tasks=("selfcheck-truthfulqa",),
            subset=100,
            subset_seed=2,
            simulator=Asked(args={"pretrained": "org/teacher"}, chat_template=True),
            follow_up_count=5,
            batch_size=4,
        ),
    )


def test_read_recipe_least_takes_defaults(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, LEAST))
    assert recipe.model.adapter == Adapter()
    assert recipe.data == GrathData(questions="q")
    assert (recipe.teacher, recipe.trainer, recipe.score.batch_size) == (None, {}, "auto")


def test_read_recipe_ec_sft_takes_its_own_data(tmp_path: Path) -> None:
    data = read_recipe(write(tmp_path, EC_SFT)).data
    assert isinstance(data, EcSftData)
    assert (data.kind, data.dev, data.learning_rates) == ("yes_no", 0.2, (1e-5, 1e-4))


def test_read_recipe_laffi_takes_its_own_data(tmp_path: Path) -> None:
    data = read_recipe(write(tmp_path, LAFFI)).data
    assert data == LaffiData(questions="rajpurkar/squad_v2")


def test_read_recipe_distill_takes_its_own_data_and_random_weights(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, DISTILL))
    config = {"d_model": 32, "num_layers": 1}
    assert recipe.model.scratch == Scratch(type="t5", config=config, seed=3)
    assert recipe.data == DistillData(
        questions="google-research/distilling-step-by-step",
        config="cqa",
        kind="options",
        explanations="given",
        explanation="rationale",
        teacher_answer="llm_label",
        objectives=("mt_re", "mt_cot"),
        controls=("answer_only",),
        alpha=0.25,
    )


def test_read_recipe_set_reaches_new_places_in_the_midst(tmp_path: Path) -> None:
    file = write(tmp_path, DISTILL)
    overrides = ["model.scratch.config.d_ff=64", "model.scratch.seed=4", "data.alpha=0.5"]
    recipe = read_recipe(file, overrides)
    assert recipe.model.scratch == Scratch(
        type="t5", config={"d_model": 32, "num_layers": 1, "d_ff": 64}, seed=4
    )
    assert isinstance(recipe.data, DistillData)
    assert recipe.data.alpha == 0.5
    told = only_fault(file, ("model.scratch.config.d_fff=64",))
    assert told.startswith("--set model.scratch.config.d_fff: unknown key: got 'd_fff'. Did you")


def test_read_recipe_whole_number_where_a_number_is_wanted_is_a_float(tmp_path: Path) -> None:
    told = changed(EC_SFT, "data.learning_rates", [1])
    data = read_recipe(write(tmp_path, told)).data
    assert isinstance(data, EcSftData)
    assert [type(rate) for rate in data.learning_rates] == [float]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_read_recipe_shipped_recipe_is_read(file: Path) -> None:
    assert read_recipe(file).score.tasks


def test_recipes_shipped_there_is_one_for_each_method() -> None:
    assert {read_recipe(file).method for file in SHIPPED} == set(METHODS)


WRONG: list[tuple[dict[str, Any], str, Any, str]] = [
    (GRATH, "method", "graht", "unknown value: got 'graht'. Did you mean 'grath'?"),
    (GRATH, "method", 3, "must be 'grath' or 'ec_sft' or 'laffi' or 'distill', got 3"),
    (GRATH, "seed", -1, "must be a whole number from 0 to 4294967295, got -1"),
    (GRATH, "seed", True, "must be a whole number from 0 to 4294967295, got true"),
    (GRATH, "seed", 1.0, "must be a whole number from 0 to 4294967295, got 1.0"),
    (GRATH, "seed", "17", "got '17': take the quotes away"),
    (GRATH, "model", None, "must be a mapping (key: value), got null"),
    (GRATH, "model", [], "must be a mapping (key: value), got []"),
    (GRATH, "model.name", " ", "must be text that is not empty, got ' '"),
    (GRATH, "model.revision", 1234567, "got 1234567: put it in quotes"),
    (GRATH, "model.dtype", "bf16", "unknown value: got 'bf16'. Did you mean 'bfloat16'?"),
    (GRATH, "model.chat_template", 1, "must be true or false, got 1"),
    (GRATH, "model.chat_template", "true", "must be true or false, got 'true'"),
    (GRATH, "model.adapter", "lora", "must be a mapping (key: value) or null, got 'lora'"),
    (GRATH, "model.adapter.r", 0, "must be a whole number above 0, got 0"),
    (GRATH, "model.adapter.alpha", 0, "must be a whole number above 0, got 0"),
    (GRATH, "model.adapter.dropout", 1, "must be a number from 0 to below 1, got 1"),
    (GRATH, "model.adapter.dropout", float("nan"), "must be a number from 0 to below 1, got nan"),
    (GRATH, "model.adapter.dropout", 10**400, "must be a number from 0 to below 1, got 1000"),
    (GRATH, "model.adapter.targets", [], "a list of different names of modules"),
    (GRATH, "model.adapter.targets", ["a", "a"], "a list of different names of modules"),
    (GRATH, "model.adapter.targets", ["model.lm_head"], "without lm_head"),
    (GRATH, "data.questions", "", "must be text that is not empty, got ''"),
    (GRATH, "data.subset", 0, "must be a whole number above 0 or null, got 0"),
    (GRATH, "data.subset_seed", -1, "must be a whole number from 0"),
    (GRATH, "data.rounds", 0, "must be a whole number above 0, got 0"),
    (GRATH, "data.reference", "base", "unknown value: got 'base'. Known: current, pretrained."),
    (EC_SFT, "data.kind", "yesno", "Did you mean 'yes_no'?"),
    (EC_SFT, "data.columns", "question", "must be a mapping (key: value), got 'question'"),
    (EC_SFT, "data.explanation", "", "must be text that is not empty or null, got ''"),
    (EC_SFT, "data.follow_ups", 101, "must be a whole number from 1 to 100, got 101"),
    (EC_SFT, "data.dev", 0.5, "must be a number above 0 and below 0.5, got 0.5"),
    (EC_SFT, "data.dev", 0, "must be a number above 0 and below 0.5, got 0"),
    (EC_SFT, "data.learning_rates", [], "must be a list of different numbers above 0, got []"),
    (EC_SFT, "data.learning_rates", [1e-5, 1e-5], "must be a list of different numbers above 0"),
    (EC_SFT, "data.learning_rates", 1e-5, "got 1e-05: write [1e-05]"),
    (LAFFI, "data.human_fraction", 1.5, "must be a number from 0 to 1, got 1.5"),
    (LAFFI, "data.annotator", "human", "unknown value: got 'human'. Known: ai, templated."),
    (DISTILL, "data.explanations", "cot", "Did you mean 'cote'?"),
    (DISTILL, "data.objectives", [], "must be a list of different ones of mt_re, mt_ra, mt_cot"),
    (DISTILL, "data.controls", ["shuffled", "shuffled"], "a list of different ones of answer_only"),
    (DISTILL, "data.alpha", 1, "must be a number above 0 and below 1, got 1"),
    (DISTILL, "model.architecture", "seq2sec", "Did you mean 'seq2seq'?"),
    (DISTILL, "model.scratch", "t5", "must be a mapping (key: value) or null, got 't5'"),
    (DISTILL, "model.scratch.seed", -1, "must be a whole number from 0 to 4294967295, got -1"),
    (DISTILL, "model.scratch.config", [], "must be a mapping (key: value), got []"),
    (GRATH, "teacher.model", "", "must be text that is not empty, got ''"),
    (GRATH, "trainer", "beta", "must be a mapping (key: value), got 'beta'"),
    (GRATH, "score.tasks", [], "must be a list of different names, one or more, got []"),
    (GRATH, "score.tasks", "a", "must be a list of different names, one or more, got 'a'"),
    (GRATH, "score.tasks", ["a", "a"], "must be a list of different names, one or more"),
    (GRATH, "score.subset", 0, "must be a whole number above 0 or null, got 0"),
    (GRATH, "score.follow_up_count", 0, "must be a whole number from 1 to 100 or null, got 0"),
    (GRATH, "score.batch_size", 0, "must be a whole number above 0 or 'auto', got 0"),
    (GRATH, "score.batch_size", "aut", "must be a whole number above 0 or 'auto', got 'aut'"),
]


@pytest.mark.parametrize(("recipe", "place", "value", "says"), WRONG)
def test_read_recipe_one_wrong_value_is_its_only_fault(
    tmp_path: Path, recipe: dict[str, Any], place: str, value: Any, says: str
) -> None:
    file = write(tmp_path, changed(recipe, place, value))
    told = only_fault(file)
    assert told.startswith(f"{file}: {place}: ")
    assert says in told


def test_read_recipe_wrong_item_of_a_list_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, changed(GRATH, "score.tasks", ["a", 7]))
    assert "score.tasks[1]: must be text that is not empty, got 7" in only_fault(file)


@pytest.mark.parametrize("place", ["model.name", "model.chat_template", "data.questions", "score"])
def test_read_recipe_missing_key_is_named(tmp_path: Path, place: str) -> None:
    told = copy.deepcopy(GRATH)
    *outer, last = place.split(".")
    del (told[outer[0]] if outer else told)[last]
    assert f": {place}: is missing: must be " in only_fault(write(tmp_path, told))


def test_read_recipe_key_of_the_other_method_is_unknown(tmp_path: Path) -> None:
    told = changed(GRATH, "data.learning_rates", [1e-5])
    assert "data.learning_rates: unknown key: got" in only_fault(write(tmp_path, told))


def test_read_recipe_misspelt_method_does_not_hide_faults_of_its_data(tmp_path: Path) -> None:
    told = changed(changed(GRATH, "method", "graht"), "data.rounds", 0)
    told = changed(told, "trainer.betta", 0.1)
    found = "\n".join(faults(write(tmp_path, told)))
    assert "method: unknown value" in found
    assert "data.rounds: must be" in found
    assert "trainer.betta: unknown key" in found


def test_read_recipe_all_faults_are_told_at_once(tmp_path: Path) -> None:
    told = GRATH
    places = [
        (place, value)
        for recipe, place, value, _ in WRONG
        if recipe is GRATH and "." in place and place != "model.adapter"
    ]
    for place, value in dict(places).items():
        told = changed(told, place, value)
    told = changed(changed(told, "trainer.beta", "high"), "trainer.output_dir", "here")
    file = write(tmp_path, changed(told, "extra", 1))
    found = faults(file, ("seed=no", "nonsense"))
    wanted = [*dict(places), "extra", "trainer.beta", "trainer.output_dir"]
    assert sorted(line.split(": ")[1] for line in found if line.startswith(str(file))) == sorted(
        wanted
    )
    assert [line.split(": ")[0] for line in found if line.startswith("--set")] == [
        "--set nonsense",
        "--set seed",
    ]


def test_read_recipe_merge_without_adapter_is_a_contradiction(tmp_path: Path) -> None:
    file = write(tmp_path, changed(GRATH, "model.adapter", None))
    assert only_fault(file) == f"{file}: model.merge: needs an adapter, but model.adapter is null"


def test_read_recipe_demo_model_with_revision_is_a_contradiction(tmp_path: Path) -> None:
    told = only_fault(write(tmp_path, changed(GRATH, "model.name", "demo-model")))
    assert "model.revision: demo-model has none" in told


@pytest.mark.parametrize(
    ("columns", "place", "says"),
    [
        ({"anwser": "a"}, "data.columns.anwser", "Did you mean 'answer'?"),
        ({"answer": 3}, "data.columns", "answer must name a column, got 3"),
        ({"question": "q"}, "data.columns.question", "data.question is 'question'"),
    ],
)
def test_read_recipe_columns_that_the_kind_does_not_take_are_refused(
    tmp_path: Path, columns: dict[str, Any], place: str, says: str
) -> None:
    told = only_fault(write(tmp_path, changed(EC_SFT, "data.columns", columns)))
    assert f": {place}: " in told
    assert says in told


def test_read_recipe_unknown_tasks_and_backends_are_told_together(tmp_path: Path) -> None:
    told = changed(GRATH, "score.tasks", ["selfcheck-truthful", "selfcheck_truthfulqa_mc1", "mmlu"])
    told = changed(changed(told, "score.retention", ["retention_no*"]), "teacher.model", "fh")
    found = [line.split(": ", 1)[1] for line in faults(write(tmp_path, told))]
    assert [line.split(". ")[0] for line in found] == [
        "teacher.model: unknown model: got 'fh'",
        "score.tasks: unknown task: got 'selfcheck-truthful'",
        "score.tasks: unknown task: got 'mmlu'",
        "score.retention: unknown task: got 'retention_no*'",
    ]


@pytest.mark.parametrize("asked", ["teacher", "score.simulator"])
def test_read_recipe_secret_among_arguments_is_refused_and_not_repeated(
    tmp_path: Path, asked: str
) -> None:
    told = changed(GRATH, f"{asked}.args", {"api_key": "sk-abcdef123456"})
    found = only_fault(write(tmp_path, told))
    assert f"{asked}.args.api_key: looks like a secret" in found
    assert "abcdef" not in found


def test_read_recipe_arguments_that_cannot_be_stored_are_refused(tmp_path: Path) -> None:
    told = changed(GRATH, "teacher.args", {"a": [float("inf")], 3: "x"})
    assert [line.split(": ", 1)[1] for line in faults(write(tmp_path, told))] == [
        "teacher.args.3: key must be text, got 3: quote it",
        "teacher.args.a[0]: must be finite, got inf",
    ]


def test_recipe_file_import_is_light() -> None:
    heavy = "{'torch', 'trl', 'lm_eval'}"
    code = f"import finetune.reading.recipe_file, sys; print({heavy} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


def places(told: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in told.items() if isinstance(told, dict) else ():
        if key != "args":
            yield (*above, key)
            yield from places(value, (*above, key))


EDITS = {
    "longer": lambda key: f"{key}x",
    "shorter": lambda key: key[:-1],
    "doubled": lambda key: key[0] + key,
    "swapped": lambda key: key[1::-1] + key[2:],
    "upper": str.upper,
}


@settings(max_examples=80)
@given(
    data=st.data(),
    recipe=st.sampled_from([GRATH, EC_SFT, LAFFI, DISTILL]),
    edit=st.sampled_from(sorted(EDITS)),
)
def test_read_recipe_any_misspelt_key_is_told_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, recipe: Any, edit: str
) -> None:
    *outer, key = data.draw(st.sampled_from(sorted(set(places(recipe)) - {("data", "columns")})))
    slip = EDITS[edit](key)
    told = copy.deepcopy(recipe)
    inner = told
    for each in outer:
        inner = inner[each]
    assume(slip and slip not in inner and slip != "question")  # a key that `data` has, too
    inner[slip] = inner.pop(key)
    file = write(tmp_path_factory.mktemp("r"), told)
    place = ".".join([*outer, slip])
    [line] = [line for line in faults(file) if line.startswith(f"{file}: {place}: unknown key")]
    if edit == "longer":
        assert f"got {slip!r}. Did you mean {key!r}?" in line
