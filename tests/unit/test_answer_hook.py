from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from harness.cache import AnswerHook, request_key
from tests.tiny import save_tiny_gpt2


class Listener:
    def __init__(self) -> None:
        self.heard: list[tuple[str, Any, Any]] = []

    def add_partial(self, attr: str, req: Any, res: Any) -> None:
        self.heard.append((attr, tuple(req), res))


def test_answer_hook_tells_the_inner_hook_and_the_listener() -> None:
    inner, outer = Listener(), Listener()
    AnswerHook(inner, outer.add_partial).add_partial("loglikelihood", iter(("a", "b")), (0.5, True))
    assert inner.heard == outer.heard == [("loglikelihood", ("a", "b"), (0.5, True))]


def test_answer_hook_hf_model_requests_have_the_keys_of_their_instances(tmp_path: Path) -> None:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    folder = save_tiny_gpt2(tmp_path)
    lm = HFLM(pretrained=str(folder), device="cpu", batch_size=2)
    listener = Listener()
    lm.set_cache_hook(AnswerHook(lm.cache_hook, listener.add_partial))
    short = {"max_gen_toks": 2, "do_sample": False}
    stop = {"max_gen_toks": 3, "do_sample": False, "until": ["\n"]}
    asked = {
        "generate_until": [("a", short), ("b é", stop), ("c", stop)],
        "loglikelihood": [("a", " b"), ("a", " c"), ("", "d"), ("a ", "e")],
    }
    for kind, arguments in asked.items():
        requests = [Instance(kind, {}, args, 0, (None, None, 1)) for args in arguments]
        answers = getattr(lm, kind)(requests)
        expected = {request_key(kind, r.args): a for r, a in zip(requests, answers, strict=True)}
        heard = {request_key(k, args): a for k, args, a in listener.heard if k == kind}
        assert heard == expected


@pytest.mark.parametrize("concurrent", [1, 2])
def test_answer_hook_chat_server_requests_have_the_keys_of_their_instances(
    monkeypatch: pytest.MonkeyPatch, concurrent: int
) -> None:
    from lm_eval.api.instance import Instance
    from lm_eval.models.api_models import JsonChatStr
    from lm_eval.models.openai_completions import LocalChatCompletion

    lm = LocalChatCompletion(
        model="m", base_url="http://127.0.0.1:9/v1", num_concurrent=concurrent, max_retries=1
    )
    listener = Listener()
    lm.set_cache_hook(AnswerHook(lm.cache_hook, listener.add_partial))
    reply = {"choices": [{"index": 0, "message": {"content": "yes"}}]}
    monkeypatch.setattr(lm, "model_call", lambda **_: reply)

    async def answer(**told: Any) -> list[str]:
        lm.cache_hook.add_partial("generate_until", told["cache_keys"][0], "yes")
        return ["yes"]

    monkeypatch.setattr(lm, "amodel_call", answer)
    chat = lm.apply_chat_template([{"role": "user", "content": "é?"}])
    assert isinstance(chat, JsonChatStr)
    request = Instance("generate_until", {}, (chat, {"max_gen_toks": 2}), 0, (None, None, 1))
    assert lm.generate_until([request]) == ["yes"]
    keys = [request_key(kind, args) for kind, args, _ in listener.heard]
    assert keys == [request_key("generate_until", request.args)]
    assert json.loads(listener.heard[0][1][0].prompt)[0]["content"] == "é?"
