from __future__ import annotations

import math

import pytest
from lm_eval.models.huggingface import HFLM

from harness.backend import Backend, is_cut, is_sampled
from harness.cache import ResponseCache
from tests.doubles import FunctionLM
from tests.tiny import save_tiny_gpt2

GREEDY = {"do_sample": False, "max_gen_toks": 3}
SAMPLED = {"do_sample": True, "max_gen_toks": 3}


@pytest.fixture
def cache(tmp_path):
    with ResponseCache.open(tmp_path / "answers.sqlite") as opened:
        yield opened


def test_ask_answers_come_in_the_order_of_the_requests():
    requests = [(text, GREEDY) for text in ("b", "a", "b", "c")]
    assert Backend(FunctionLM(str.upper)).ask("generate_until", requests) == ["B", "A", "B", "C"]


@pytest.mark.parametrize("other", [{"max_gen_toks": 4}, {"until": ["\n"]}, {"num_beams": 2}])
def test_ask_equal_text_with_other_settings_is_another_request(cache, other):
    lm = FunctionLM(str.upper, name="m")
    Backend(lm, cache).ask("generate_until", [("a", GREEDY), ("a", {**GREEDY, **other})])
    assert len(lm.prompts) == 2
    Backend(lm, cache).ask("generate_until", [("a", {**GREEDY, **other, "top_k": 1})])
    assert len(lm.prompts) == 3


def test_ask_sampled_answers_are_neither_shared_nor_kept(cache):
    lm = FunctionLM(str.upper, name="m")
    backend = Backend(lm, cache)
    backend.ask("generate_until", [("a", SAMPLED), ("a", SAMPLED)])
    backend.ask("generate_until", [("a", SAMPLED)])
    assert len(lm.prompts) == 3
    Backend(lm, cache).ask("generate_until", [("a", SAMPLED)])
    assert len(lm.prompts) == 4


def test_ask_model_without_fingerprint_keeps_nothing(cache):
    for _ in range(2):
        lm = FunctionLM(str.upper)
        Backend(lm, cache).ask("generate_until", [("a", GREEDY)])
        assert lm.prompts == ["a"]


def test_ask_non_finite_score_is_given_but_not_kept(cache):
    lm = FunctionLM(score=lambda context, choice: math.nan, name="m")
    assert math.isnan(Backend(lm, cache).ask("loglikelihood", [("a", "b")])[0][0])
    sound = FunctionLM(score=lambda context, choice: -2.0, name="m")
    assert Backend(sound, cache).ask("loglikelihood", [("a", "b")]) == [(-2.0, False)]


def test_ask_kept_scores_come_back_as_they_were(cache):
    first, second = (FunctionLM(score=lambda c, o: -len(o) / 3, name="m") for _ in range(2))
    requests = [("a", "bb"), ("a", "c")]
    once = Backend(first, cache).ask("loglikelihood", requests)
    assert Backend(second, cache).ask("loglikelihood", requests) == once
    assert not second.batches


def test_ask_restores_the_model_s_own_hook(cache):
    lm = FunctionLM(str.upper, name="m")
    hook = lm.cache_hook
    Backend(lm, cache).ask("generate_until", [("a", GREEDY)])
    assert lm.cache_hook is hook


@pytest.mark.parametrize(
    ("settings", "sampled"),
    [
        ({}, False),
        ({"do_sample": False, "temperature": 0.7}, True),  # servers look at the temperature alone
        ({"temperature": 0.7}, True),
        ({"temperature": 0}, False),
        ({"do_sample": True}, True),
    ],
)
def test_is_sampled_whenever_a_backend_may_draw_at_random(settings, sampled):
    assert is_sampled(settings) == sampled


def test_settle_batch_size_auto_is_settled_once_and_never_probed(tiny_gpt2, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the batch size was probed")

    monkeypatch.setattr(HFLM, "_detect_batch_size", refuse)
    lm = HFLM(str(tiny_gpt2), device="cpu", batch_size="auto")
    Backend(lm).ask("generate_until", [(f"text {n}", GREEDY) for n in range(3)])
    Backend(lm).ask("loglikelihood", [("a", f" {n}") for n in range(3)])
    assert lm.batch_size == 32


def test_ask_short_answers_do_not_wait_for_long_ones(tiny_gpt2, monkeypatch):
    lm = HFLM(str(tiny_gpt2), device="cpu", batch_size=8)
    generate, batches = lm._model_generate, []

    def watched(context, max_length, **options):
        batches.append((len(context), max_length - context.shape[1]))
        return generate(context, max_length, **options)

    monkeypatch.setattr(lm, "_model_generate", watched)
    long = {**GREEDY, "max_gen_toks": 40}
    Backend(lm).ask("generate_until", [(f"text {n}", long if n % 2 else GREEDY) for n in range(6)])
    assert sorted(batches) == [(3, 3), (3, 40)]


def test_batch_size_one_is_pointed_out(tiny_gpt2, caplog):
    with caplog.at_level("INFO", "harness"):
        Backend(HFLM(str(tiny_gpt2), device="cpu"))
    assert "--batch_size auto" in caplog.text


def test_room_leaves_half_of_the_context_for_the_prompt(tmp_path):
    lm = HFLM(str(save_tiny_gpt2(tmp_path, positions=128)), device="cpu")
    assert (Backend(lm).room(20), Backend(lm).room(500)) == (20, 64)
    assert Backend(FunctionLM()).room(500) == 500


def test_is_cut_counts_what_lm_eval_cuts(tmp_path):
    lm = HFLM(str(save_tiny_gpt2(tmp_path, positions=128)), device="cpu")  # a byte is a token
    limit = {"max_gen_toks": 28, "do_sample": False}
    assert is_cut(lm, "generate_until", ("x" * 100, limit)) is False
    assert is_cut(lm, "generate_until", ("x" * 101, limit)) is True
    assert is_cut(lm, "loglikelihood", ("x" * 100, "y" * 29)) is False
    assert is_cut(lm, "loglikelihood", ("x" * 100, "y" * 30)) is True
    lm.backend = "seq2seq"  # the decoder has a context of its own
    assert is_cut(lm, "generate_until", ("x" * 128, limit)) is False
    assert is_cut(lm, "generate_until", ("x" * 129, limit)) is True
    assert is_cut(FunctionLM(), "generate_until", ("x" * 1000, limit)) is None


def test_backend_of_a_server_never_sends_an_empty_list_of_stop_strings():
    from lm_eval.models.openai_completions import LocalChatCompletion

    lm = LocalChatCompletion(model="m", base_url="http://127.0.0.1:1/v1/chat/completions")
    turn = [{"role": "user", "content": "hi"}]
    assert lm._create_payload(turn, gen_kwargs={})["stop"] == [], "lm-eval has mended it"
    for _ in range(2):  # a second backend of the same model wraps nothing again
        Backend(lm)
    assert "stop" not in lm._create_payload(turn, gen_kwargs={})
    assert lm._create_payload(turn, gen_kwargs={"until": ["x"]})["stop"] == ["x"]
