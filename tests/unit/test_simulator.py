"""Who simulates, as a task's metadata tells it."""

from __future__ import annotations

import pytest

from harness import simulator as module
from harness.backend import Backend
from harness.errors import ConfigError, ModelError
from harness.questions import SELF
from harness.simulator import ARGS_KEY, MODEL_KEY, TEMPLATE_KEY, Simulator, read_simulator
from tests.doubles import FunctionLM, ScriptedSimulator

SCRIPTED = {MODEL_KEY: "scripted-simulator"}


@pytest.fixture(autouse=True)
def fresh():
    """Simulators are shared within a process: no test may meet those of another one."""
    module._shared.cache_clear()
    ScriptedSimulator.made.clear()


def backend(name: str | None = None) -> Backend:
    return Backend(FunctionLM(name=name))


def test_read_simulator_nothing_told_is_the_model_itself():
    for told in ({}, {MODEL_KEY: None}, {"version": 1.0, "pretrained": "x"}):
        found = read_simulator(told)
        assert (found.model, found.is_self, found.label, found.chat_template) == (
            None, True, SELF, False,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({MODEL_KEY: "scripted-simulater"}, "Did you mean 'scripted-simulator'?"),
        ({MODEL_KEY: "local-chat-completion"}, "Did you mean 'local-chat-completions'?"),
        ({"simulator_modle": "hf"}, "got 'simulator_modle'. Did you mean 'simulator_model'?"),
        ({**SCRIPTED, "simulator_arg": "a=b"}, "Did you mean 'simulator_args'?"),
        ({"simulator": "hf"}, "unknown key of metadata: got 'simulator'"),
        ({ARGS_KEY: "says=yes"}, "simulator_args without simulator_model"),
        ({ARGS_KEY: {}, TEMPLATE_KEY: True}, "simulator_args without simulator_model"),
        ({TEMPLATE_KEY: False}, "simulator_chat_template without simulator_model"),
        ({**SCRIPTED, TEMPLATE_KEY: "on"}, "must be true or false, got 'on'"),
        ({**SCRIPTED, TEMPLATE_KEY: 2}, "must be true or false, got 2"),
    ],
)
def test_read_simulator_wrong_metadata_names_key_and_nearest(told, complaint):
    with pytest.raises(ConfigError) as caught:
        read_simulator(told)
    assert complaint in str(caught.value)
    assert not ScriptedSimulator.made, "nothing is loaded to find out"


@pytest.mark.parametrize("args", [["sk-1234567890abcdef"], 17, ("api_key", "sk-1234567890abcdef")])
def test_read_simulator_args_of_a_wrong_type_are_named_by_type_alone(args):
    with pytest.raises(ConfigError, match=f"simulator_args.*got a {type(args).__name__}") as caught:
        read_simulator({**SCRIPTED, ARGS_KEY: args})
    assert "sk-" not in str(caught.value) and "17" not in str(caught.value)


def test_read_simulator_args_that_json_has_no_word_for_are_refused_or_taken(tmp_path):
    try:
        read_simulator({**SCRIPTED, ARGS_KEY: {"pretrained": tmp_path}})
    except ConfigError as err:
        assert str(tmp_path) not in str(err)


def test_read_simulator_args_are_a_string_or_a_mapping():
    for args in ("says=yes,name=a", {"name": "a", "says": "yes"}):
        assert read_simulator({**SCRIPTED, ARGS_KEY: args}).args == {"says": "yes", "name": "a"}
    for args in (None, "", {}):
        assert read_simulator({**SCRIPTED, ARGS_KEY: args}).args == {}


@pytest.mark.parametrize(
    ("model", "told", "expected"),
    [
        ("scripted-simulator", None, False),
        ("scripted-chat-simulator", None, True),
        ("local-chat-completions", None, True),
        ("local-completions", None, False),
        ("hf", None, False),
        ("hf", True, True),
        ("scripted-chat-simulator", False, False),
    ],
)
def test_read_simulator_template_is_on_for_chat_apis_unless_told(model, told, expected):
    assert read_simulator({MODEL_KEY: model, TEMPLATE_KEY: told}).chat_template is expected


def test_read_simulator_equal_metadata_are_one_simulator_loaded_once():
    first = read_simulator({**SCRIPTED, ARGS_KEY: "name=a,says=yes"})
    again = read_simulator({**SCRIPTED, ARGS_KEY: {"says": "yes", "name": "a"}, "version": 3})
    assert first is again and not ScriptedSimulator.made
    for simulator in (first, again):
        for name in ("one", "two"):
            simulator.meet(backend(name), None, False)
    assert len(ScriptedSimulator.made) == 1


def test_read_simulator_other_metadata_are_others():
    told = [
        {**SCRIPTED, ARGS_KEY: "name=a"},
        {**SCRIPTED, ARGS_KEY: "name=b"},
        {**SCRIPTED, ARGS_KEY: "name=a", TEMPLATE_KEY: True},
        {MODEL_KEY: "scripted-chat-simulator", ARGS_KEY: "name=a"},
    ]
    found = [read_simulator(one) for one in told]
    assert len({id(one) for one in found}) == len(told)


def test_meet_the_model_itself_gives_its_backend_and_identity():
    simulator, model = Simulator(), backend("m")
    assert simulator.identity is None, "nobody has met yet"
    assert simulator.meet(model, None, False) is model
    assert (simulator.is_self, simulator.identity, simulator.label) == (True, "m", SELF)


def test_meet_another_model_is_not_self():
    simulator = read_simulator({**SCRIPTED, ARGS_KEY: "name=s"})
    met = simulator.meet(backend("m"), None, False)
    assert met.lm is ScriptedSimulator.made[0]
    assert (simulator.is_self, simulator.identity) == (False, "s")


def test_meet_model_of_the_same_fingerprint_is_self_and_the_next_one_is_not():
    simulator = read_simulator({**SCRIPTED, ARGS_KEY: "name=s"})
    simulator.meet(backend("s"), None, False)
    assert (simulator.is_self, simulator.label, simulator.identity) == (True, SELF, "s")
    simulator.meet(backend("m"), None, False)
    assert (simulator.is_self, simulator.identity) == (False, "s")
    assert simulator.label == "scripted-simulator"


def test_meet_two_that_nobody_can_identify_are_not_taken_for_one():
    simulator = read_simulator(SCRIPTED)
    simulator.meet(backend(), None, False)
    assert not simulator.is_self, "unknown is not equal to unknown"
    others = [Simulator() for _ in range(2)]
    for other in others:
        other.meet(backend(), None, False)
        assert other.is_self
    names = {simulator.identity, *(other.identity for other in others)}
    assert len(names) == 3 and None not in names


@pytest.mark.parametrize("first", [None, "known"])
def test_meet_the_model_itself_takes_no_identity_of_a_model_before(first):
    simulator = Simulator()
    simulator.meet(backend(first), None, False)
    before = simulator.identity
    simulator.meet(backend(), None, False)  # the same task, evaluated on a checkpoint in training
    assert simulator.identity != before


def test_meet_the_model_itself_takes_the_identity_of_the_next_known_one():
    simulator = Simulator()
    for name in ("one", "two"):
        simulator.meet(backend(name), None, False)
        assert simulator.identity == name


def test_label_names_backend_and_model_and_no_other_argument():
    args = "base_url=http://me:secret@host,api_key=sk-123456789,"
    assert read_simulator(SCRIPTED).label == "scripted-simulator"
    for key in ("pretrained", "model"):
        told = {**SCRIPTED, ARGS_KEY: f"{args}{key}=org/name"}
        assert read_simulator(told).label == "scripted-simulator: org/name"


def test_load_chat_template_of_a_model_without_one_is_refused():
    told = {MODEL_KEY: "simulator-without-template", TEMPLATE_KEY: True}
    with pytest.raises(ModelError, match=r"chat template was asked for.*chat_template is not set"):
        read_simulator(told).meet(backend("m"), None, False)
    assert not ScriptedSimulator.made[0].prompts
    read_simulator({**told, TEMPLATE_KEY: False}).meet(backend("m"), None, False)


def test_load_chat_template_that_a_folder_lacks_is_refused_before_the_weights_are_read(
    tiny_gpt2, monkeypatch
):
    from lm_eval.models.huggingface import HFLM

    def refuse(*_, **__):
        raise AssertionError("the weights were loaded")

    monkeypatch.setattr(HFLM, "__init__", refuse)
    told = {MODEL_KEY: "hf", ARGS_KEY: {"pretrained": str(tiny_gpt2)}, TEMPLATE_KEY: True}
    with pytest.raises(ModelError, match="its tokenizer's files hold none"):
        read_simulator(told).meet(backend("m"), None, False)


def test_load_model_that_cannot_be_loaded_says_which_and_why():
    told = {MODEL_KEY: "planted", ARGS_KEY: "behaviour=onest"}
    import harness.planted  # noqa: F401  (registers it)

    with pytest.raises(ConfigError, match="Did you mean 'honest'"):
        read_simulator(told).meet(backend("m"), None, False)
    told = {MODEL_KEY: "hf", ARGS_KEY: "pretrained=/no/such/folder"}
    with pytest.raises(ModelError, match="'hf' cannot be loaded"):
        read_simulator(told).meet(backend("m"), None, False)


def test_load_hugging_face_model_runs_where_there_is_no_gpu(tiny_gpt2):
    simulator = Simulator("hf", {"pretrained": str(tiny_gpt2)})
    assert simulator.load(None).bare.device.type in {"cpu", "cuda", "mps"}
