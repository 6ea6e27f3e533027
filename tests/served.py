"""A chat server that answers as a planted model does, in OpenAI's manner or in Anthropic's."""

from __future__ import annotations

import gc
import json
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness.planted import PlantedLM

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


class PlantedServer(ThreadingHTTPServer):
    """Serves a planted model.

    Attributes:
        asked: the requests that came, each with its headers, path and body.
        answered: the prompts that got an answer.
        counts: whether it reports the tokens (here: words) that it used.
        ends: whether it says that answers ended by themselves, not at their limit; None: nothing.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lm = PlantedLM()
        self.asked: list[dict[str, Any]] = []
        self.answered: list[str] = []
        self.counts = True
        self.ends: bool | None = True

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def told(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        prompt = "\n\n".join(_text(turn["content"]) for turn in body["messages"])
        answer = self.lm._reply(prompt)
        self.answered.append(prompt)
        words = len(prompt.split()), len(answer.split())
        if path == MESSAGES:
            half = len(answer) // 2  # in two blocks, as with citations
            blocks = [{"type": "text", "text": part} for part in (answer[:half], answer[half:])]
            thinking = {"type": "thinking", "thinking": "hm", "signature": "x"}
            reason = {True: "end_turn", False: "max_tokens", None: None}[self.ends]
            told = {"type": "message", "role": "assistant", "content": [thinking, *blocks]}
            told["stop_reason"] = reason
            used = dict(zip(("input_tokens", "output_tokens"), words, strict=True))
        else:
            message = {"role": "assistant", "content": answer}
            reason = {True: "stop", False: "length", None: None}[self.ends]
            told = {
                "id": "1", "object": "chat.completion", "created": 1, "model": "planted",
                "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            }  # fmt: skip
            names = ("prompt_tokens", "completion_tokens", "total_tokens")
            used = dict(zip(names, (*words, sum(words)), strict=True))
        return {**told, "usage": used} if self.counts else told


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


class _Handler(BaseHTTPRequestHandler):
    server: PlantedServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"headers": dict(self.headers), "path": self.path, "body": body})
        text = json.dumps(self.server.told(self.path, body)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serve in a thread for a while."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()  # litellm leaves event loops open


CLIENTS = ("local-chat-completions", "openai-chat-completions", "anthropic-chat", "litellm")
KEY = "my-own-word-of-entry"
"""The key that clients send: of no shape that would give it away."""


def set_keys(patch: Any) -> None:
    """Give clients their keys, and keep litellm from the network (`patch`: pytest's)."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        patch.setenv(name, KEY)
    patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")


def options(client: str, port: int, **more: Any) -> list[str]:
    """Give the options that ask a server on this port through one of lm-eval's clients."""
    path = {"anthropic-chat": MESSAGES, "litellm": "/v1"}.get(client, CHAT)
    told = {
        "model": "openai/planted" if client == "litellm" else "planted",
        "base_url": f"http://127.0.0.1:{port}{path}",
        **more,
    }
    args = ",".join(f"{name}={value}" for name, value in told.items())
    return ["--model", client, "--model-args", args, "--apply_chat_template"]


TASKS = (
    "sample_importance_sentiment", "sample_redaction_choice", "sample_consistency_yes_no",
    "sample_qa", "sample_reasoning_choice",
)  # fmt: skip


def told(folder: Any, tasks: tuple[str, ...] = TASKS) -> dict[str, Any]:
    """Give what a run says of each document: answers, what was read of them, and metrics."""
    from harness.run_files import read_run

    run = read_run(folder)
    return {
        name: (
            {key: metric.value for key, metric in run.tasks[name].metrics.items()},
            [
                {
                    "doc": sample["doc_hash"], "metrics": sample["metrics"], "read": sample["read"],
                    "answers": [(turn["stage"], turn["answer"]) for turn in sample["stages"]],
                }
                for sample in run.samples(name)
            ],
        )
        for name in tasks
    }  # fmt: skip
