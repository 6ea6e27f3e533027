"""Print what asking in rounds saves over asking one document at a time, as Markdown.

SELFCHECK_DATA=... python -m tests.benchmarks.rounds [--documents 16] [--help]

The three faithfulness checks of one data set, with the demonstration model. Without SELFCHECK_DATA:
of the sample.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import contextmanager
from typing import Any

from lm_eval.models.huggingface import HFLM

from harness.demo import demo_model
from harness.dialogue import answer_dialogues
from harness.errors import MissingDataError
from harness.selection import build_manager

CHECKS = ("counterfactual", "importance", "redaction")
SAMPLE = "sentiment"


def build_requests(domain: str, documents: int) -> list[list[Any]]:
    """Give the requests of every document, of all three checks."""
    kind = "sample" if domain == SAMPLE else "selfcheck"
    tasks = build_manager().load([f"{kind}_{check}_{domain}" for check in CHECKS])["tasks"]
    found = []
    for name, task in tasks.items():
        docs = list(task.eval_docs)[:documents]
        asked = [
            task.requests(doc, (name, number, 1), apply_chat_template=True)
            for number, doc in enumerate(docs)
        ]
        found.append([request for requests in asked for request in requests])
    return [list(requests) for requests in zip(*found, strict=True)]


@contextmanager
def counted(lm: Any):
    """Count the questions that the model is sent."""
    own, sent = lm.generate_until, []

    def generate_until(requests: list[Any], **options: Any) -> list[str]:
        sent.append(len(requests))
        return own(requests, **options)

    lm.generate_until = generate_until
    try:
        yield sent
    finally:
        del lm.generate_until


def measure(lm: Any, batches: list[list[Any]]) -> tuple[float, int, int, list[str]]:
    """Give the seconds, the questions of the checks, those sent, and the responses."""
    start = time.perf_counter()
    with counted(lm) as sent:
        responses = [response for batch in batches for response in answer_dialogues(lm, batch)]
    seconds = time.perf_counter() - start
    questions = sum(len(json.loads(response)["stages"]) for response in responses)
    return seconds, questions, sum(sent), responses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domain", default="imdb")
    parser.add_argument("--documents", type=int, default=16)
    parser.add_argument("--batch-sizes", type=int, nargs="*", default=[1, 8, 32])
    told = parser.parse_args()
    try:
        documents = build_requests(told.domain, told.documents)
    except MissingDataError:
        told.domain = SAMPLE
        documents = build_requests(told.domain, told.documents)
    everything = [[request for requests in documents for request in requests]]
    alone = [[request] for requests in documents for request in requests]
    lm = HFLM(str(demo_model()), device="cpu", batch_size=1)
    measure(lm, documents[:1])
    print(f"Three checks of {told.domain}, {len(documents)} documents, {lm.model.dtype}\n")
    print("| asked | batch size | seconds | questions | sent to the model | ratio |")
    print("|---|---|---|---|---|---|")
    slowest = 0.0
    ways = [("one check of one document at a time", alone, told.batch_sizes[-1])]
    ways += [("one document at a time", documents, told.batch_sizes[-1])]
    ways += [("all in rounds", everything, size) for size in told.batch_sizes]
    for name, batches, size in ways:
        lm.batch_size_per_gpu = size
        seconds, questions, sent, _ = measure(lm, batches)
        slowest = slowest or seconds
        print(
            f"| {name} | {size} | {seconds:.0f} | {questions} | {sent} | {slowest / seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
