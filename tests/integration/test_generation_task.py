"""retention_generation under whole runs."""

from __future__ import annotations

import pytest
from lm_eval.models.huggingface import HFLM

from harness.evaluate import run
from harness.plan import Plan
from tests.doubles import FunctionLM

TASK = "retention_generation"


def values(done):
    return {name: metric.value for name, metric in done.tasks[TASK].metrics.items()}


def test_generation_of_a_function_is_measured_by_hand():
    lm = FunctionLM(lambda prompt: "Because it is so." if "the" in prompt else "I cannot answer.")
    done = run(Plan(lm, (TASK,)))
    docs = [sample["doc"]["question"] for sample in done.samples[TASK]]
    share = sum("the" in question for question in docs) / len(docs)
    told = values(done)
    assert 0 < share < 1 and told["ended"] is None  # its tokens are not told
    assert told["refused"] == pytest.approx(1 - share)
    assert told["length"] == pytest.approx(4 * share + 3 * (1 - share))
    assert told["distinct_3"] == 1


@pytest.mark.parametrize(("limit", "ended"), [(8, 0), (256, 1)])
def test_generation_ends_by_itself_or_at_its_limit(tiny_gpt2, limit, ended):
    # this random model gives its end-of-text token after 34 to 135 tokens on these documents
    lm = HFLM(str(tiny_gpt2), device="cpu", batch_size=8)
    options = {"gen_kwargs": {"max_gen_toks": limit}}
    told = values(run(Plan(lm, (TASK,), subset=3, batch_size=8, options=options)))
    assert told["ended"] == ended
