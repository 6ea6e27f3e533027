"""Print how the time to score choices grows, ours and stock lm-eval's, as Markdown.

python -m tests.benchmarks.choices_growth

With documents, with choices per document, and with the length of contexts that documents do not
share; the demonstration model in float32 on the CPU, batch size 8, texts of the samples.
"""

from __future__ import annotations

from collections.abc import Iterator

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from harness.choices import REQUEST, answer_choices
from harness.demo import demo_model
from harness.selection import build_manager
from tests.benchmarks.choices import stock, timed

BASE = {"documents": 16, "choices": 4, "words": 60}
AXES = {"documents": (8, 16, 32, 64), "choices": (2, 4, 8, 16), "words": (30, 120, 480)}


def build_requests(documents: int, choices: int, words: int) -> list[Instance]:
    task = build_manager().load(["sample_importance_sentiment"])["tasks"]
    text = " ".join(doc["text"] for doc in task["sample_importance_sentiment"].split.docs).split()
    return [
        Instance(
            REQUEST,
            doc={},
            arguments=(
                f"{number}. {' '.join(text[97 * number % 1000 :][:words])}\nThis was",
                " " + " ".join(text[31 * choice + number :][:5]),
            ),
            idx=choice,
            metadata=("growth", number, 1),
        )
        for number in range(documents)
        for choice in range(choices)
    ]


def cases() -> Iterator[dict[str, int]]:
    for axis, values in AXES.items():
        for value in values:
            yield {**BASE, axis: value}


def main() -> None:
    lm = HFLM(str(demo_model()), device="cpu", dtype="float32", batch_size=8)
    answer_choices(lm, build_requests(2, 2, 30))
    print("| documents | choices | words of context | stock, s | ours, s | ratio |")
    print("|---|---|---|---|---|---|")
    for case in cases():
        requests = build_requests(**case)
        theirs, _ = timed(lambda: stock(lm, requests), "cpu")  # noqa: B023
        ours, _ = timed(lambda: answer_choices(lm, requests), "cpu")  # noqa: B023
        print(
            f"| {case['documents']} | {case['choices']} | {case['words']} | {theirs:.1f} | "
            f"{ours:.1f} | {theirs / ours:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
