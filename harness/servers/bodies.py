"""What servers answer, checked before lm-eval reads it.

lm-eval turns a body of the wrong shape into an empty answer, or gives more or fewer answers than
were asked for, so that those of other documents move up. Here it is no answer, and asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness.questions import Answer
from harness.servers.faults import PassingError

Kind = Literal["chat", "anthropic", "completions", "other"]

_KINDS: Mapping[str, Kind] = {
    "AnthropicChat": "anthropic",
    "LocalChatCompletion": "chat",
    "SGLANGGENERATEAPI": "other",
    "LocalCompletionsAPI": "completions",
}
_INSTEAD = ("refusal", "tool_calls", "function_call", "reasoning_content", "reasoning")
"""Parts of a message that explain why it has no content."""


def kind_of(client: Any) -> Kind:
    """Say which interface one of lm-eval's clients speaks; other: none that is known here."""
    names = [parent.__name__ for parent in type(client).__mro__]
    return next((_KINDS[name] for name in names if name in _KINDS), "other")


def checked(body: Any, kind: Kind, *, count: int, scores: bool) -> Any:
    """Check that a body is an answer; give it as lm-eval reads it: one text for each prompt.

    Args:
        body: what the JSON said.
        kind: the interface.
        count: how many prompts were sent in the request.
        scores: whether log-likelihoods were asked for, not texts.

    Raises:
        PassingError: it is no answer; says what it lacks.
    """
    if kind == "other":
        return body
    if not isinstance(body, dict):
        raise PassingError(f"no answer: a {type(body).__name__} instead of an object")
    if kind == "anthropic":
        text = _with_end(_joined(body), body.get("stop_reason"), "max_tokens")
        return {**body, "content": [{"type": "text", "text": text}]}
    choices = _choices(body, count)
    for choice in choices:
        (_check_scores if scores else _check_message if kind == "chat" else _check_text)(choice)
    return {**body, "choices": choices}


def usage(body: Any) -> int | None:
    """Give the tokens in and out that a body reports; None: it reports none."""
    told = body.get("usage") if isinstance(body, dict) else None
    if not isinstance(told, dict):
        return None
    for names in (
        ("prompt_tokens", "completion_tokens"),
        (
            "input_tokens", "output_tokens", "cache_creation_input_tokens",
            "cache_read_input_tokens",
        ),
    ):  # fmt: skip
        numbers = [told.get(name) for name in names]
        if all(_is_count(number) for number in numbers[:2]):
            return sum(number for number in numbers if _is_count(number))  # type: ignore[misc]
    return None


def _is_count(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def _joined(body: dict[str, Any]) -> str:
    """Join the text blocks of one answer: lm-eval takes each for the answer to a prompt."""
    blocks = body.get("content")
    if not isinstance(blocks, list) or not all(
        isinstance(block, dict) and isinstance(block.get("type"), str) for block in blocks
    ):
        raise PassingError(f"no answer: no list of content blocks{_error(body)}")
    texts = [block.get("text") for block in blocks if block["type"] == "text"]
    if not all(isinstance(text, str) for text in texts):
        raise PassingError("no answer: a text block without text")
    return "".join(texts)


def _choices(body: dict[str, Any], count: int) -> list[dict[str, Any]]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
        raise PassingError(f"no answer: no list of choices{_error(body)}")
    if len(choices) != count:
        raise PassingError(f"no answer: {len(choices)} choices for {count} prompts")
    if count == 1:
        return [{**choices[0], "index": 0}]
    places = [one.get("index") for one in choices]
    if not all(map(_is_count, places)) or set(places) != set(range(count)):
        raise PassingError("no answer: choices without an index each")
    return choices


def _error(body: dict[str, Any]) -> str:
    """Give the error that some servers report under a status of success."""
    return f": {body['error']}" if "error" in body else ""


def _check_message(choice: dict[str, Any]) -> None:
    message = choice.get("message")
    if not isinstance(message, dict):
        raise PassingError("no answer: a choice without a message")
    if "content" not in message and any(part in message for part in _INSTEAD):
        message["content"] = None
    if "content" not in message or not isinstance(message["content"], (str, type(None))):
        raise PassingError("no answer: a message without a text as its content")
    if message["content"] is not None:
        message["content"] = _with_end(message["content"], choice.get("finish_reason"), "length")


def _check_text(choice: dict[str, Any]) -> None:
    if not isinstance(choice.get("text"), str):
        raise PassingError("no answer: a choice without a text")
    choice["text"] = _with_end(choice["text"], choice.get("finish_reason"), "length")


def _with_end(text: str, reason: Any, limit: str) -> str:
    """Add whether the answer was cut off, if the server says so: lm-eval passes it on as a text."""
    return Answer(text, reason == limit) if isinstance(reason, str) and reason else text


def _check_scores(choice: dict[str, Any]) -> None:
    told = choice.get("logprobs")
    lists = [told.get(name) for name in ("token_logprobs", "top_logprobs")] if told else []
    if not lists or not all(isinstance(each, list) for each in lists):
        raise PassingError("no answer: a choice without logprobs of its tokens")
