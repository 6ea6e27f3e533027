"""Two processes with gloo: ranks that need different numbers of rounds do not hang."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.checks.predictions import METRICS as SIMULATED
from harness.checks.trial import METRICS

TASKS = [
    "sample_importance_sentiment",
    "sample_counterfactual_sentiment",
    "sample_truthfulness_mc1",
    "sample_consistency_yes_no",
]
LIMIT = 7


def evaluate_here(lm):
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from harness.data import tasks_path

    manager = TaskManager(include_path=tasks_path(), include_defaults=False)
    return simple_evaluate(model=lm, tasks=TASKS, task_manager=manager, limit=LIMIT)


def planted_lm():
    """Commits only on some texts, so that dialogues (and ranks) differ in length."""
    from harness.planted import PlantedLM

    class Gathering(PlantedLM):
        """Every batch gathers, as `HFLM` does with an automatic batch size: unequal rounds hang."""

        rounds = 0

        def generate_until(self, requests, **more):
            import torch

            self.rounds += 1
            lengths = self.all_gather(torch.tensor([len(requests)])).tolist()
            assert len(set(lengths)) == 1, f"ranks sent batches of {lengths}"
            replies = super().generate_until([r for r in requests if r.args[0] != "."], **more)
            return replies + ["padding"] * (len(requests) - len(replies))

        def loglikelihood(self, requests, **_):
            return [(-float(len(request.args[1]) % 11), False) for request in requests]

    return Gathering()


def distributed(lm, rank, world):
    """Give a model the collective operations of two gloo processes."""
    import torch
    import torch.distributed as dist

    def all_gather(tensor):
        parts = [torch.zeros_like(tensor) for _ in range(world)]
        dist.all_gather(parts, tensor)
        return torch.stack(parts) if tensor.ndim == 0 else torch.cat(parts)

    def gather_object(obj, dst=0):
        parts = [None] * world if rank == dst else None
        dist.gather_object(obj, parts, dst=dst)
        return parts

    lm._rank, lm._world_size, lm._device = rank, world, torch.device("cpu")
    lm.all_gather, lm.gather_object, lm.barrier = all_gather, gather_object, dist.barrier
    return lm


def worker(rank: int, port: int, out: str, fails: bool) -> None:
    import torch.distributed as dist

    from harness import failures

    os.environ["SELFCHECK_CACHE"] = "off"
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    lm = distributed(planted_lm(), rank, 2)
    if fails and rank == 1:
        from harness.checks import CHECKS

        def buggy(case):
            yield from case.first_answer()
            raise RuntimeError("only on rank 1")

        CHECKS["importance"] = buggy  # type: ignore[index]
    with failures.collected() as failed:
        results = evaluate_here(lm)
    told = {"rounds": lm.rounds, "failed": failed, "results": results and results["results"]}
    Path(f"{out}.{rank}").write_text(json.dumps(told, default=str), encoding="utf-8")
    dist.destroy_process_group()


def run_two(tmp_path: Path, fails: bool = False):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    out = str(tmp_path / "told")
    code = "from tests.integration.test_data_parallel import worker; worker({}, {}, {!r}, {})"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code.format(rank, port, out, fails)],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors.decode()[-3000:]
    finally:
        for process in processes:
            process.kill()
    return [json.loads(Path(f"{out}.{rank}").read_text(encoding="utf-8")) for rank in range(2)]


def test_two_ranks_with_unequal_rounds_give_the_metrics_of_one_process(tmp_path):
    first, second = run_two(tmp_path)
    assert first["rounds"] == second["rounds"] > 1
    alone = evaluate_here(planted_lm())["results"]
    for task in TASKS[:2]:
        for name in METRICS:
            for key in (f"{name},none", f"{name}_stderr,none"):
                assert float(first["results"][task][key]) == pytest.approx(
                    float(alone[task][key]), nan_ok=True
                ), (task, key)
    assert first["results"][TASKS[2]]["acc,none"] == alone[TASKS[2]]["acc,none"]
    for name in (*SIMULATED, "gain"):
        for key in (f"{name},none", f"{name}_stderr,none"):
            assert float(first["results"][TASKS[3]][key]) == pytest.approx(
                float(alone[TASKS[3]][key]), nan_ok=True
            ), key
    constant = float(first["results"][TASKS[3]]["constant,none"])
    assert constant == pytest.approx(most_frequent(LIMIT)) != pytest.approx(most_frequent(4))


def most_frequent(documents: int) -> float:
    """The mean share of the answer that is most frequent in all of the first documents.

    Of the four of the first rank alone it is another number: ranks do count together.
    """
    from harness.data import DataRef, load_split
    from harness.planted.weights import TRUE, asked_of

    docs = load_split(DataRef("selfcheck-sample/yes_no", "test")).docs[:documents]
    told = [[TRUE.is_light(word) for word in asked_of(doc["question"])[:5]] for doc in docs]
    light = sum(map(sum, told)) >= sum(map(len, told)) / 2
    return sum(sum(one is light for one in words) / len(words) for words in told) / len(docs)


def test_two_ranks_task_that_fails_on_one_fails_on_both(tmp_path):
    first, second = run_two(tmp_path, fails=True)
    assert list(first["failed"]) == list(second["failed"]) == [TASKS[0]]
    assert "on another rank" in first["failed"][TASKS[0]] and "oops" not in str(first["failed"])
    assert "only on rank 1" in second["failed"][TASKS[0]]
    assert str(first["results"][TASKS[0]]["lift,none"]) == "nan"
    assert float(first["results"][TASKS[1]]["committed,none"]) > 0
