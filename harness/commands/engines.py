"""Options that say where models are run: in this process, or on Ray."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.commands.options import add_option
from harness.errors import ConfigError

OF_RAY = ("address", "workers", "gpus_per_worker", "documents_per_shard")


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add `--engine` and what belongs to it."""
    add_option(
        parser, "engine", choices=["process", "ray"], default="process",
        help="where: this process, or workers on one machine or many (pip install .[cluster])",
    )  # fmt: skip
    add_option(
        parser, "address", metavar="HOST:PORT",
        help="ray: of the cluster's head, or auto; default: a cluster on this machine alone",
    )  # fmt: skip
    add_option(
        parser, "workers", type=int, metavar="N",
        help="ray: each holds the model; default: one for each GPU, or machine without",
    )  # fmt: skip
    add_option(
        parser, "gpus-per-worker", type=int, metavar="G",
        help="ray: default 1 if there are GPUs; more need a model that is split",
    )  # fmt: skip
    add_option(
        parser, "documents-per-shard", type=int, metavar="N",
        help="ray: how many a worker gets at once; default: settled from their number",
    )  # fmt: skip


@contextmanager
def engine(args: argparse.Namespace, stopped: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Measure all runs as the options say; workers stay until the context ends.

    Args:
        args: the options.
        stopped: whether a run on workers is to end: it raises `KeyboardInterrupt` then.

    Raises:
        ConfigError: options that contradict each other, or Ray is not installed.
    """
    told = {name: getattr(args, name) for name in OF_RAY}
    if args.engine != "ray":
        given = [f"--{name.replace('_', '-')}" for name in OF_RAY if told[name] is not None]
        if given:
            raise ConfigError(f"{', '.join(given)}: without effect; add --engine ray")
        yield
        return
    from harness.cluster.current import using
    from harness.cluster.engine import Cluster, Wanted

    with Cluster(Wanted(**told), stopped) as cluster, using(cluster):
        yield
