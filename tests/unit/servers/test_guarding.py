from __future__ import annotations

import pytest
from lm_eval.models.anthropic_llms import AnthropicChat
from lm_eval.models.api_models import JsonChatStr
from lm_eval.models.openai_completions import (
    LocalChatCompletion,
    LocalCompletionsAPI,
    OpenAIChatCompletion,
    OpenAICompletionsAPI,
)

from harness.backend import Backend
from harness.errors import ConfigError, ModelError
from harness.loading import load
from harness.models import fingerprint, share_weights
from harness.servers import Limits, draws_at_random, guard, guarding, limited, scores_no_choices
from tests.doubles import FunctionLM
from tests.faulty_proxy import SHAPES, FaultyProxy
from tests.served import CHAT, KEY, PlantedServer, serving

URL = "http://127.0.0.1:1/v1/chat/completions"
NO_CONTENT = {"choices": [{"index": 0, "message": {"role": "assistant"}}]}
TURN = [{"role": "user", "content": "hi"}]


@pytest.fixture
def litellm(monkeypatch):
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it asks the network otherwise

    def made(model="openai/planted", **args):
        return load("litellm", {"model": model, **args}, chat_template=True)

    return made


def test_guard_twice_wraps_once():
    lm = LocalChatCompletion(model="m", base_url=URL, max_retries=7)
    guard(lm)
    first = lm.model_call
    guard(lm)
    assert lm.model_call is first or lm.model_call == first
    assert lm._selfcheck_guard.attempts == 7 and lm.max_retries == 1


@pytest.mark.parametrize("until", [[], [""], None])
def test_guard_sends_no_empty_stop_strings(until):
    lm = AnthropicChat(model="m", base_url=URL)
    guard(lm)
    told = lm._create_payload(TURN, gen_kwargs={"until": until}, eos=None)
    assert "stop_sequences" not in told
    told = lm._create_payload(TURN, gen_kwargs={"until": ["x"]}, eos=None)
    assert told["stop_sequences"] == ["x"]


@pytest.mark.parametrize(("model", "random"), [("o1-mini", True), ("gpt-5", True), ("m", False)])
def test_client_that_takes_no_temperature_is_known_to_draw_at_random(model, random, caplog):
    lm = OpenAIChatCompletion(model=model, base_url=URL)
    guard(lm)
    assert draws_at_random(lm) == random
    assert ("drawn at random" in caplog.text) == random
    assert not draws_at_random(FunctionLM())


def test_litellm_that_drops_the_temperature_is_known_to_draw_at_random(litellm):
    for model, random in (("openai/gpt-5", True), ("openai/planted", False)):
        lm = litellm(model)
        guard(lm)
        assert draws_at_random(lm) == random


def test_backend_keeps_no_answers_that_are_drawn_at_random_against_the_settings():
    lm = OpenAIChatCompletion(model="o1", base_url=URL)
    lm.generate_until = lambda requests: ["a"] * len(requests)
    backend = Backend(lm)
    assert backend.ask("generate_until", [("x", {}), ("x", {})]) == ["a", "a"]
    assert backend.known == {}


@pytest.mark.parametrize(
    "lm",
    [
        lambda: LocalChatCompletion(model="m", base_url=URL),
        lambda: OpenAIChatCompletion(model="m", base_url=URL),
        lambda: AnthropicChat(model="m", base_url=URL),
        lambda: OpenAICompletionsAPI(model="gpt-4", base_url=URL, tokenizer_backend=None),
    ],
)
def test_scores_no_choices_says_why_and_asks_nothing(lm):
    assert scores_no_choices(lm())


def test_scores_no_choices_litellm_scores_none(litellm):
    assert scores_no_choices(litellm())


@pytest.mark.parametrize("concurrent", [1, 4])
def test_scores_no_choices_completions_with_a_tokenizer_score_them(tiny_gpt2, concurrent):
    lm = LocalCompletionsAPI(
        model="m", base_url=URL, tokenizer_backend="huggingface", tokenizer=str(tiny_gpt2),
        num_concurrent=concurrent,
    )  # fmt: skip
    assert scores_no_choices(lm) is None
    guard(lm)
    assert scores_no_choices(lm) is None
    bare = LocalCompletionsAPI(model="m", base_url=URL, tokenizer_backend=None)
    assert "okenizer" in scores_no_choices(bare)
    assert scores_no_choices(FunctionLM()) is None


def test_load_litellm_needs_no_address_and_others_do(litellm):
    assert litellm().model == "openai/planted"
    with pytest.raises(ConfigError, match="needs model="):
        load("litellm", {}, chat_template=True)
    with pytest.raises((ConfigError, ModelError), match="needs base_url="):
        load("local-chat-completions", {"model": "m"}, chat_template=True)


def test_fingerprint_litellm_is_model_and_where_the_environment_sends_it(litellm, monkeypatch):
    first = fingerprint(litellm())
    assert first is not None and fingerprint(litellm()) == first
    assert fingerprint(litellm("openai/other")) != first
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:1/v1")
    elsewhere = fingerprint(litellm())
    assert elsewhere != first
    monkeypatch.setenv("OPENAI_API_BASE", "http://me:word@127.0.0.1:1/v1?api_key=abc")
    assert fingerprint(litellm()) == elsewhere, "what opens the door is no part of it"
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert fingerprint(litellm()) == elsewhere
    assert fingerprint(litellm(base_url="http://127.0.0.1:2/v1")) not in (first, elsewhere)


def test_share_weights_litellm_by_model_and_address(litellm):
    assert share_weights(litellm(), litellm())
    assert not share_weights(litellm(), litellm("openai/other"))


def test_rate_is_kept_one_by_one_and_at_once(monkeypatch):
    from lm_eval.api.instance import Instance

    waited = []

    async def rest(seconds):
        waited.append(seconds)

    monkeypatch.setattr(guarding.time, "sleep", waited.append)
    monkeypatch.setattr(guarding.asyncio, "sleep", rest)
    prompts = [f'[{{"role": "user", "content": "{number}"}}]' for number in range(4)]
    told = [
        Instance("generate_until", {}, (JsonChatStr(prompt), {}), 0, (None, None, 1))
        for prompt in prompts
    ]
    server = PlantedServer()
    server.lm._reply = str.upper
    with serving(server), limited(Limits(requests_per_minute=60), lambda: 0.0):
        for concurrent in (1, 3):
            url = f"http://127.0.0.1:{server.port}{CHAT}"
            lm = LocalChatCompletion(model="m", base_url=url, num_concurrent=concurrent)
            guard(lm)
            lm.generate_until(told)
    assert sorted(waited) == list(range(8)), "one a second over both, by a clock that stands still"
    assert len(server.asked) == 8


@pytest.mark.slow
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != NO_CONTENT], ids=str)
@pytest.mark.parametrize("concurrent", [1, 2])
def test_litellm_takes_no_other_shape_for_an_answer(litellm, shape, concurrent, monkeypatch):
    """Only a message without content passes, as one with null: litellm fills in what is lacking."""
    from lm_eval.api.instance import Instance

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    proxy = FaultyProxy(1, faults=["shape"], most=1)
    proxy.next_fault = lambda body: "shape"
    proxy.shapes.choice = lambda shapes: shape
    told = Instance(
        "generate_until", {}, (JsonChatStr('[{"role": "user", "content": "a"}]'), {}), 0,
        (None, None, 1),
    )  # fmt: skip
    with serving(proxy):
        lm = litellm(
            base_url=f"http://127.0.0.1:{proxy.port}/v1", num_concurrent=concurrent, max_retries=1
        )
        guard(lm)
        with pytest.raises(ModelError):
            lm.generate_until([told])
