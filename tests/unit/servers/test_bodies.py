from __future__ import annotations

import pytest

from harness.servers.bodies import checked, usage
from harness.servers.faults import PassingError
from tests.faulty_proxy import SHAPES


def chat(**message):
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}}]}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["chat", "completions"])
def test_checked_refuses_what_is_no_answer(kind, shape):
    with pytest.raises(PassingError, match="no answer"):
        checked(shape, kind, count=1, scores=False)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != {"content": []}], ids=str)
def test_checked_refuses_what_is_no_message_of_anthropic(shape):
    with pytest.raises(PassingError, match="no answer"):
        checked(shape, "anthropic", count=1, scores=False)


@pytest.mark.parametrize("content", ["text", "", None])
def test_checked_takes_texts_and_null(content):
    assert checked(chat(content=content), "chat", count=1, scores=False) == chat(content=content)


@pytest.mark.parametrize("instead", ["refusal", "tool_calls", "reasoning_content"])
def test_checked_message_that_says_why_it_has_no_content_counts_as_null(instead):
    told = checked(chat(**{instead: "x"}), "chat", count=1, scores=False)
    assert told["choices"][0]["message"]["content"] is None


def test_checked_sole_choice_needs_no_index():
    body = {"choices": [{"message": {"content": "a"}}]}
    assert checked(body, "chat", count=1, scores=False)["choices"][0]["index"] == 0


def test_checked_batch_gives_each_prompt_one_answer():
    choices = [{"index": place, "text": str(place)} for place in (1, 0)]
    told = checked({"choices": choices}, "completions", count=2, scores=False)
    assert told["choices"] == choices
    for wrong in (choices[:1], [choices[0]] * 2, [{"text": "a"}, {"text": "b"}]):
        with pytest.raises(PassingError, match="no answer"):
            checked({"choices": wrong}, "completions", count=2, scores=False)


def test_checked_blocks_of_one_message_are_one_answer():
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "a "},
        {"type": "text", "text": "b"},
    ]
    told = checked({"content": blocks}, "anthropic", count=1, scores=False)
    assert told["content"] == [{"type": "text", "text": "a b"}]
    assert checked({"content": []}, "anthropic", count=1, scores=False)["content"] == [
        {"type": "text", "text": ""}
    ]


def test_checked_scores_need_log_probabilities_of_the_tokens():
    body = {"choices": [{"index": 0, "text": "a", "logprobs": None}]}
    with pytest.raises(PassingError, match="logprobs"):
        checked(body, "completions", count=1, scores=True)
    body["choices"][0]["logprobs"] = {"token_logprobs": [-1.0], "top_logprobs": [{"a": -1.0}]}
    assert checked(body, "completions", count=1, scores=True)["choices"]


def test_checked_error_under_a_status_of_success_is_told():
    with pytest.raises(PassingError, match="overloaded"):
        checked({"error": {"message": "overloaded"}}, "chat", count=1, scores=False)


@pytest.mark.parametrize(
    ("told", "tokens"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, 7),
        ({"input_tokens": 3, "output_tokens": 4}, 7),
        ({"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 10}, 17),
        ({"prompt_tokens": 3}, None),
        ({"prompt_tokens": True, "completion_tokens": 4}, None),
        ({"prompt_tokens": "3", "completion_tokens": 4}, None),
        ({"prompt_tokens": -3, "completion_tokens": 4}, None),
        (None, None),
    ],
)
def test_usage_is_tokens_in_and_out_or_unknown(told, tokens):
    assert usage({"usage": told}) == tokens
    assert usage([told]) is None
