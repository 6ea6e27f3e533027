"""The processes of `accelerate launch` go through the members of a sweep together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from harness.errors import TrainingError

PATIENCE = timedelta(minutes=10)
"""How long a process whose member failed waits for the others to fail, too."""
WAIT = timedelta(days=7)


class Together:
    """Processes that do the same members in the same order.

    They have a group of their own to meet in: where one alone fails, the others wait for it within
    the training, and a message among all would be taken for a part of that.

    Args:
        state: `accelerate.PartialState`; every process must have it.
    """

    def __init__(self, state: Any) -> None:
        import torch

        several = state.num_processes > 1
        self.group = torch.distributed.new_group(backend="gloo", timeout=WAIT) if several else None

    def told(self, names: Sequence[str]) -> list[str]:
        """Give what the first process says."""
        if self.group is None:
            return list(names)
        import torch

        told = [list(names)]
        torch.distributed.broadcast_object_list(told, src=0, group=self.group)
        return told[0]

    def meet(self, failure: str | None) -> str | None:
        """Wait for all at the end of a member; give why it failed, in whichever process.

        Raises:
            TrainingError: it failed here, and the others go on with it.
        """
        if self.group is None:
            return failure
        import torch

        try:
            torch.distributed.monitored_barrier(self.group, WAIT if failure is None else PATIENCE)
        except RuntimeError as err:
            told = failure or "another process is gone"
            raise TrainingError(
                f"one process stopped alone, and the sweep with it: {told}. The same command goes "
                "on where it was"
            ) from err
        failures: list[Any] = [None] * torch.distributed.get_world_size(self.group)
        torch.distributed.all_gather_object(failures, failure, group=self.group)
        return next((one for one in failures if one is not None), None)
