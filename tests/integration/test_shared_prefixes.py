"""Scores of shared prefixes are those of lm-eval, or lm-eval's own scoring is used and says why."""

from __future__ import annotations

import logging
import random
from itertools import combinations

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from harness import memory, proof, shared_prefixes
from harness.causal import WINDOWED, Causal
from harness.prefix import Limits
from harness.proof import SHOWN
from tests.architectures import COMMON, as_lm, tiny_config, tiny_model
from tests.doubles import FunctionLM
from tests.likelihood import counted_tokens, score_pairs
from tests.tiny import byte_tokenizer, save_tiny_gpt2, save_tiny_t5

PRIMER = "Which of these is so? Think of what you know, and of what you do not. "


def build_pairs(seed: int = 0) -> list[tuple[str, str]]:
    draw = random.Random(seed)

    def words(count: int) -> str:
        letters = "aeioulnrst"
        return " ".join("".join(draw.choices(letters, k=3)) for _ in range(count))

    pairs = []
    for _ in range(5):
        context = f"{PRIMER}Q: {words(draw.randint(1, 9))}?\nA:"
        pairs += [(context, f" {words(draw.randint(1, 4))}") for _ in range(4)]
        pairs += [(context, " A"), (context, " B"), (context, " A"), (context, " AB")]
    pairs += [("", words(2)), ("", words(1)), ("x", " y"), ("ends with a space ", "word")]
    pairs += [(words(60), " cut"), (words(70), " at the start"), ("no ", words(42)[:150])]
    return pairs


PAIRS = build_pairs()


def ask(lm, pairs=PAIRS):
    return score_pairs(lm, pairs)


def ask_both(lm: HFLM, pairs=PAIRS):
    stock = ask(lm, pairs)
    with shared_prefixes.shared_prefixes(lm):
        ours = ask(lm, pairs)
    return ours, stock


def assert_packed(lm: HFLM, caplog, pairs=PAIRS, saves=True) -> None:
    with counted_tokens(lm) as by_stock:
        ask(lm, pairs)
    with counted_tokens(lm) as by_us, caplog.at_level(logging.WARNING, "harness"):
        ours, stock = ask_both(lm, pairs)
    assert not [record.message for record in caplog.records if "not shared" in record.message]
    assert not saves or sum(by_us) - sum(by_stock) < sum(by_stock)
    for pair, (score, greedy), (other, likeliest) in zip(pairs, ours, stock, strict=True):
        assert score == pytest.approx(other, abs=1e-4, rel=1e-5), pair
        assert greedy == likeliest, pair


def assert_refused(lm: HFLM, caplog, reason: str, pairs=PAIRS) -> None:
    with caplog.at_level(logging.WARNING, "harness"):
        ours, stock = ask_both(lm, pairs)
    told = [record.message for record in caplog.records if "not shared" in record.message]
    assert len(told) == 1
    assert reason in told[0]
    assert ours == stock


@pytest.mark.parametrize("kind", sorted(SHOWN))
def test_architectures_that_are_exact(kind, caplog):
    assert_packed(as_lm(tiny_model(tiny_config(kind))), caplog)


@pytest.mark.parametrize("kind", sorted(WINDOWED))
@pytest.mark.parametrize("window", [3, 16, 100])
def test_windows_shorter_than_the_row_are_exact(kind, window, caplog):
    changes = {"sliding_window": window, "num_hidden_layers": 7}
    if kind == "gemma3":
        changes = {"text_config": {**COMMON, "model_type": "gemma3_text", **changes}}
    lm = as_lm(tiny_model(tiny_config(kind, **changes)))
    assert Causal.of(lm, 160).window == window
    assert_packed(lm, caplog)


def test_a_window_is_seen_as_one():
    config = tiny_config("mistral", sliding_window=16)
    assert Causal.of(as_lm(tiny_model(config)), 17).window == 16
    assert Causal.of(as_lm(tiny_model(config)), 16).window is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # transformers' own
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
@pytest.mark.parametrize("attention", ["eager", "sdpa", "flex_attention"])
def test_attention_is_switched_and_switched_back(attention, caplog):
    lm = as_lm(tiny_model(tiny_config("llama"), attention=attention))
    with torch.compiler.set_stance("force_eager"):  # flex_attention's own compiles for a minute
        assert_packed(lm, caplog)
    assert lm.model.config._attn_implementation == attention


REFUSED = {
    "ALiBi, by its forward": ("bloom", {}, "takes no position_ids"),
    "ALiBi, by its configuration": ("falcon", {"alibi": True}, "ALiBi"),
    "no cache of keys and values": ("mpt", {}, "takes no position_ids"),
    "recurrent": ("mamba", {}, "recurrent"),
    "hybrid": ("recurrent_gemma", {}, "recurrent"),
    "chunked": ("llama4_text", {}, "chunked_attention"),
    "local": ("gpt_neo", {"attention_types": [[["global", "local"], 1]]}, "local"),
    "rotation that changes": (
        "llama",
        {
            "max_position_embeddings": 64,
            "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4},
        },
        "rotary positions (dynamic)",
    ),
    "a window that no layer type tells": (
        "mistral",
        {"sliding_window": 16, "layer_types": ["full_attention"] * 4},
        "names a window of 16 tokens that no layer seems to have",
    ),
    "a window that may be ignored": ("apertus", {"sliding_window": 16}, "windows of apertus"),
    "looks ahead": ("llama", {"is_causal": False}, "may look ahead"),
    "looks ahead, found by the proof": ("bert", {"is_decoder": False}, "packed and"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_architectures_that_would_not_be_exact(what, caplog):
    kind, changes, reason = REFUSED[what]
    assert_refused(as_lm(tiny_model(tiny_config(kind, **changes))), caplog, reason)


def test_encoder_and_decoder(tmp_path, caplog):
    lm = HFLM(str(save_tiny_t5(tmp_path)), device="cpu", batch_size=4)
    assert_refused(lm, caplog, "an encoder and a decoder", PAIRS[:20])


def test_code_that_is_not_transformers_own(caplog):
    model = tiny_model(tiny_config("llama"))
    model.__class__ = type("Remote", (type(model),), {"__module__": "transformers_modules.remote"})
    assert_refused(as_lm(model), caplog, "Remote is not transformers' own code")


def test_a_backend_built_on_lm_evals(caplog):
    class Steered(HFLM):
        pass

    model = tiny_model(tiny_config("llama"))
    lm = Steered(pretrained=model, tokenizer=byte_tokenizer(), batch_size=4, max_length=160)
    assert_refused(lm, caplog, "it runs in Steered")


def test_a_model_that_ignores_the_mask_is_found_out(caplog, monkeypatch):
    """No check by its configuration could: the scores give it away."""
    lm = as_lm(tiny_model(tiny_config("llama")))
    forward = Causal.forward

    def unmasked(self, tokens, positions, mask, past, chosen):
        open_mask = None if mask is None else torch.ones_like(mask)
        return forward(self, tokens, positions, open_mask, past, chosen)

    monkeypatch.setattr(Causal, "forward", unmasked)
    assert_refused(lm, caplog, "packed and")


def own_contexts(length: int | None = None, long: int = 0) -> list[tuple[str, str]]:
    """One-token choices over contexts of their own: rows hold several, and none has a prefix.

    They begin differently, and are of a length if one is given; `long` ones are longer than a row.
    """
    draw = random.Random(3)
    starts = "klmnopqrstuvwxyz"
    lengths = [length or draw.randint(30, 60) for _ in range(12)] + [300] * long
    contexts = [
        start + "".join(draw.choices("abcdefghij", k=size))
        for start, size in zip(starts, lengths, strict=False)
    ]
    return [(context, choice) for context in contexts for choice in "ABCD"]


OWN_CONTEXTS = {
    "of several lengths": own_contexts(),
    "of one length": own_contexts(length=40),
    "beside longer ones": own_contexts(long=3),
}


@pytest.mark.parametrize("contexts", OWN_CONTEXTS)
def test_contexts_that_share_nothing(contexts, caplog):
    lm = as_lm(tiny_model(tiny_config("llama")), max_length=400)
    assert_packed(lm, caplog, OWN_CONTEXTS[contexts], saves=False)


@pytest.mark.parametrize("contexts", OWN_CONTEXTS)
@pytest.mark.parametrize("fault", ["open mask", "no mask", "positions"])
def test_faults_in_rows_of_several_contexts_are_found_out(contexts, fault, caplog, monkeypatch):
    """GPT-2's positions are absolute: with rotary ones a shift of a whole sequence is no fault."""
    lm = as_lm(tiny_model(tiny_config("gpt2")), max_length=400)
    forward = Causal.forward

    def wrong(self, tokens, positions, mask, past, chosen):
        if mask is not None and not past:
            if fault == "positions":
                positions = torch.arange(tokens.shape[1]).expand(tokens.shape)
            else:
                mask = None if fault == "no mask" else torch.ones_like(mask)
        return forward(self, tokens, positions, mask, past, chosen)

    monkeypatch.setattr(Causal, "forward", wrong)
    ours, stock = ask_both(lm, OWN_CONTEXTS[contexts])
    assert ours == stock
    assert "packed and" in caplog.text


@pytest.mark.parametrize("contexts", OWN_CONTEXTS)
@pytest.mark.parametrize("kind", ["bert", "electra"])
def test_encoders_are_found_out(contexts, kind, caplog):
    model = tiny_model(tiny_config(kind, is_decoder=False))
    assert_refused(as_lm(model, max_length=400), caplog, "packed and", OWN_CONTEXTS[contexts])


@pytest.mark.parametrize("fault", ["positions", "past", "chosen"])
def test_other_faults_are_found_out(fault, caplog, monkeypatch):
    lm = as_lm(tiny_model(tiny_config("llama")))
    forward = Causal.forward

    def wrong(self, tokens, positions, mask, past, chosen):
        if fault == "positions":
            positions = torch.arange(tokens.shape[1]).expand(tokens.shape)
        if fault == "past":
            past = [(keys.roll(1, 2), values) for keys, values in past]
        if fault == "chosen":
            chosen = chosen.roll(1)
        return forward(self, tokens, positions, mask, past, chosen)

    monkeypatch.setattr(Causal, "forward", wrong)
    assert_refused(lm, caplog, "packed and")


def test_a_model_that_fails_on_a_mask(caplog, monkeypatch):
    def fail(*_):
        raise TypeError("no such argument")

    monkeypatch.setattr(Causal, "forward", fail)
    lm = as_lm(tiny_model(tiny_config("llama")))
    assert_refused(lm, caplog, "a packed pass fails: TypeError: no such argument")


def adapted(model, **settings):
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(
        r=4, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False, **settings
    )
    return get_peft_model(model, lora, autocast_adapter_dtype=False)


@pytest.mark.parametrize("merged", [False, True])
def test_adapters(merged, caplog):
    torch.manual_seed(1)
    model = adapted(tiny_model(tiny_config("llama")))
    plain = ask(as_lm(tiny_model(tiny_config("llama"))))
    lm = as_lm(model.merge_and_unload() if merged else model)
    assert ask(lm) != plain
    assert_packed(lm, caplog)


def test_an_adapter_of_the_output_embedding(caplog):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    lora = LoraConfig(r=4, target_modules=["lm_head", "q_proj"], init_lora_weights=False)
    assert_packed(as_lm(get_peft_model(tiny_model(tiny_config("llama")), lora)), caplog)


def test_quantised_weights(caplog):
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    model = tiny_model(tiny_config("llama"))
    quantize_(model, Int8WeightOnlyConfig())
    assert_packed(as_lm(model), caplog)


@pytest.mark.parametrize("kind", ["prompt", "prefix", "activated"])
def test_adapters_that_add_tokens_or_look_at_the_row(kind):
    from peft import PrefixTuningConfig, PromptTuningConfig, TaskType, get_peft_model

    model = tiny_model(tiny_config("llama"))
    if kind == "activated":
        lm = as_lm(adapted(model, alora_invocation_tokens=[5], task_type="CAUSAL_LM"))
    else:
        made = PromptTuningConfig if kind == "prompt" else PrefixTuningConfig
        lm = as_lm(get_peft_model(model, made(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=4)))
    with pytest.raises(shared_prefixes.UnpackableError, match="may add tokens or depend"):
        Causal.of(lm, 100)


def test_weights_spread_over_devices(tmp_path, caplog):
    """On this machine the other device is the disk: the hooks are those of several GPUs."""
    from accelerate import dispatch_model

    model = tiny_model(tiny_config("llama"))
    stock = ask(as_lm(model))
    places = {"model.embed_tokens": "cpu", "model.norm": "cpu", "model.rotary_emb": "cpu"}
    places |= {f"model.layers.{n}": "disk" if n % 2 else "cpu" for n in range(4)}
    spread = dispatch_model(
        model, {**places, "lm_head": "cpu"}, main_device="cpu", offload_dir=str(tmp_path)
    )
    lm = as_lm(spread)
    assert_packed(lm, caplog)
    assert [one for one, _ in ask(lm)] == pytest.approx([one for one, _ in stock], abs=1e-5)


def run_out_of_memory(monkeypatch, fits) -> list[int]:
    """Let passes fail as CUDA does unless they fit; keeps the sizes of those that were done."""
    forward, done = Causal.forward, []

    def limited(self, tokens, *rest):
        if not fits(tokens.numel()):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        done.append(tokens.numel())
        return forward(self, tokens, *rest)

    monkeypatch.setattr(Causal, "forward", limited)
    monkeypatch.setattr(shared_prefixes, "prove", lambda *_: None)
    return done


def test_out_of_memory_halves_the_pass_and_loses_nothing(caplog, monkeypatch):
    monkeypatch.setattr(memory, "BATCH", {"cpu": 256})
    lm = as_lm(tiny_model(tiny_config("llama")))
    done = run_out_of_memory(monkeypatch, lambda size: size <= 70)
    with caplog.at_level(logging.WARNING, "harness"):
        assert_packed(lm, caplog)
    assert max(done) <= 70
    assert [record.message for record in caplog.records if "Out of memory" in record.message]


def test_out_of_memory_half_way_scores_nothing_twice(caplog, monkeypatch):
    monkeypatch.setattr(memory, "BATCH", {"cpu": 64})
    lm = as_lm(tiny_model(tiny_config("llama")))
    calls = []
    run_out_of_memory(monkeypatch, lambda size: calls.append(size) or len(calls) != 12)
    kept = []
    monkeypatch.setattr(lm.cache_hook, "add_partial", lambda _, pair, told: kept.append(pair))
    stock = ask(lm)
    kept.clear()
    with shared_prefixes.shared_prefixes(lm):
        ours = ask(lm)
    assert "Out of memory; on with" in caplog.text
    assert "not shared" not in caplog.text
    assert sorted(kept) == sorted(PAIRS)
    assert [one for one, _ in ours] == pytest.approx([one for one, _ in stock], abs=1e-4)


def test_no_memory_at_all_is_left_to_lm_eval(caplog, monkeypatch):
    lm = as_lm(tiny_model(tiny_config("llama")))
    run_out_of_memory(monkeypatch, lambda size: False)
    assert_refused(lm, caplog, "OutOfMemoryError: CUDA out of memory")


def test_no_memory_but_for_the_first_token(caplog, monkeypatch):
    lm = as_lm(tiny_model(tiny_config("llama")))
    calls = []
    run_out_of_memory(monkeypatch, lambda size: calls.append(size) or len(calls) == 1)
    assert_refused(lm, caplog, "memory runs out even with one token at a time")


def fail_after(monkeypatch, passes: int, error: Exception) -> None:
    forward, done = Causal.forward, []

    def failing(self, *rest):
        done.append(None)
        if len(done) > passes:
            raise error
        return forward(self, *rest)

    monkeypatch.setattr(Causal, "forward", failing)


@pytest.mark.parametrize("passes", [0, 3, 12])
def test_a_pass_that_fails_leaves_the_rest_to_lm_eval(passes, caplog, monkeypatch):
    monkeypatch.setattr(memory, "BATCH", {"cpu": 64})
    lm = as_lm(tiny_model(tiny_config("llama")))
    fail_after(monkeypatch, passes, RuntimeError("The size of tensor a must match"))
    with caplog.at_level(logging.WARNING, "harness"):
        ours, stock = ask_both(lm)
    told = [record.message for record in caplog.records if "not shared" in record.message]
    assert len(told) == 1
    assert "a packed pass fails: RuntimeError: The size of tensor a" in told[0]
    assert [one for one, _ in ours] == pytest.approx([one for one, _ in stock], abs=1e-4)


@pytest.mark.parametrize("passes", [0, 12])
def test_a_device_that_no_longer_works_ends_the_run(passes, monkeypatch):
    monkeypatch.setattr(memory, "BATCH", {"cpu": 64})
    lm = as_lm(tiny_model(tiny_config("llama")))
    fail_after(monkeypatch, passes, torch.AcceleratorError("device-side assert triggered"))
    with (
        shared_prefixes.shared_prefixes(lm),
        pytest.raises(torch.AcceleratorError, match="device-side assert"),
    ):
        ask(lm)


@pytest.mark.parametrize("batch", [1, 7, 64, 1024])
@pytest.mark.parametrize("seed", range(3))
def test_any_room_gives_the_same_scores(batch, seed, monkeypatch, caplog):
    row = min(32, batch)
    limits = Limits(row=row, trunk=min(8, row), batch=batch, keys=3 * batch)
    monkeypatch.setattr(shared_prefixes, "limits_for", lambda causal: limits)
    lm = as_lm(tiny_model(tiny_config("llama"), seed=seed))
    assert_packed(lm, caplog, build_pairs(seed), saves=False)


def test_likeliest_tokens_are_told(caplog):
    """Continuations that the model would write itself are greedy; half of these are such."""
    lm = as_lm(tiny_model(tiny_config("llama")))
    pairs = []
    for context in dict.fromkeys(context for context, _ in PAIRS if context):
        tokens = lm.tok_encode(context)
        best = int(lm._model_call(torch.tensor([tokens]))[0, -1].argmax())
        text = lm.tok_decode([best])
        if lm.tok_encode(context + text) == [*tokens, best]:
            pairs += [(context, text), (context, " zz")]
    assert_packed(lm, caplog, pairs, saves=False)
    assert sum(greedy for _, greedy in ask(lm, pairs)) >= 3


def test_a_broken_model_scores_nan_here_too(caplog):
    model = tiny_model(tiny_config("llama"))
    model.lm_head.weight.data[7] = float("nan")
    ours, stock = ask_both(as_lm(model))
    assert all(one != one for one, _ in [*ours, *stock])
    assert "no finite score by itself" in caplog.text


def test_tokens_divided_in_other_ways_score_as_without_lm_evals_cache_of_logits(caplog):
    """With it lm-eval takes the first positions of the longest continuation for all of them."""
    pairs = [("abc", "d"), ("ab", "cd"), ("a", "bcd")]
    lm = as_lm(tiny_model(tiny_config("llama")), logits_cache=False)
    assert_packed(lm, caplog, pairs, saves=False)


def test_padding_that_changes_scores_is_no_ground_for_trust(caplog, monkeypatch):
    model = tiny_model(tiny_config("llama")).to(torch.bfloat16)
    monkeypatch.setattr(proof, "LOUDEST", 0.01)
    assert_refused(as_lm(model), caplog, "when it is padded")


def test_an_adapter_inside_a_transformers_model(caplog):
    from peft import LoraConfig

    torch.manual_seed(1)
    model = tiny_model(tiny_config("llama"))
    model.add_adapter(LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False))
    assert_packed(as_lm(model), caplog)


def test_what_stands_in_place_of_the_method_comes_back():
    lm = as_lm(tiny_model(tiny_config("llama")))
    own = lm._loglikelihood_tokens
    with shared_prefixes.shared_prefixes(lm):
        with shared_prefixes.shared_prefixes(lm):
            ask(lm, PAIRS[:4])
        ask(lm, PAIRS[:4])
    assert lm._loglikelihood_tokens == own


def test_a_continuation_longer_than_the_context_fails_as_in_lm_eval():
    lm = as_lm(tiny_model(tiny_config("llama")))
    with shared_prefixes.shared_prefixes(lm), pytest.raises(AssertionError):
        ask(lm, [*PAIRS, ("a", "b" * 200)])


def test_bfloat16_is_as_near_to_float32_as_stock_at_any_batch_size(caplog):
    pairs = [pair for seed in range(12) for pair in build_pairs(seed)[:40]]
    model = tiny_model(tiny_config("llama"), spread=0.12).to(torch.bfloat16)
    alone = ask(as_lm(model, batch_size=1), pairs)
    with caplog.at_level(logging.WARNING, "harness"):
        ours, padded = ask_both(as_lm(model, batch_size=16), pairs)
    assert not [record for record in caplog.records if record.name.startswith("harness")]
    exact = ask(as_lm(model.float()), pairs)

    def orders(scores):
        """Say of any two choices of a context which is better."""
        sets = {}
        for (context, choice), (score, _) in zip(pairs, scores, strict=True):
            sets.setdefault(context, {})[choice] = score
        return [a > b for told in sets.values() for a, b in combinations(told.values(), 2)]

    def differ(scores):
        return sum(a != b for a, b in zip(orders(scores), orders(exact), strict=True))

    def gaps(scores):
        return sum(abs(a - b) for (a, _), (b, _) in zip(scores, exact, strict=True))

    assert differ(ours) <= min(differ(alone), differ(padded))
    assert gaps(ours) <= min(gaps(alone), gaps(padded))


def test_below_float32_only_what_has_been_shown_is_packed(caplog):
    kind = "ctrl"
    assert kind not in SHOWN
    model = tiny_model(tiny_config(kind)).to(torch.bfloat16)
    assert_refused(as_lm(model), caplog, "ctrl has not been shown to be exact")


def test_other_backends_go_on_as_they_are():
    lm = FunctionLM(score=lambda context, choice: -float(len(choice)))
    with shared_prefixes.shared_prefixes(lm):
        assert [score for score, _ in ask(lm)] == [-float(len(c)) for _, c in PAIRS]


def test_a_checkpoint_on_disk_and_lm_evals_cache(tmp_path, caplog):
    """`CachingLM` calls the model's own method, and what it keeps is what was scored."""
    from lm_eval.api.model import CachingLM

    from harness.choices import answer_choices

    lm = HFLM(str(save_tiny_gpt2(tmp_path / "model")), device="cpu", batch_size=4)
    stock = ask(lm)
    requests = [
        Instance("selfcheck_choices", doc={}, arguments=pair, idx=0, metadata=("t", 0, 1))
        for pair in PAIRS
    ]
    kept = CachingLM(lm, str(tmp_path / "cache.db"))
    with counted_tokens(lm) as first:
        ours = answer_choices(kept, requests)
    with counted_tokens(lm) as second:
        again = answer_choices(kept, requests)
    assert [one for one, _ in ours] == pytest.approx([one for one, _ in stock], abs=1e-4)
    assert again == ours
    assert first
    assert not second
