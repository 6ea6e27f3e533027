"""How much of a run of packed rows fits into memory."""

from __future__ import annotations

import logging
from typing import Any

import torch

from harness.causal import Causal
from harness.prefix import Limits

log = logging.getLogger(__name__)

SHARE = 0.25  # of free memory: for a pass, and as much for keys and values
BATCH = {"cpu": 1024}  # more is no faster there
LARGEST_BATCH = 16384
STATES = 32  # hidden states that a token has at once, at the most


def limits_for(causal: Causal) -> Limits:
    """Say how much may be computed at once, by the free memory of the model's devices."""
    lm = causal.lm
    first = torch.zeros(1, 1, dtype=torch.long, device=lm.device)
    logits, kept = causal.forward(first, first, None, [], first[0])  # to see what a token takes
    key = 2 * sum(part.nbytes for layer in kept for part in layer)  # held, and copied
    states = STATES * lm.model.get_input_embeddings().weight.shape[-1] * logits.element_size()
    room = SHARE * min(_free(device) for device in _devices(lm))
    largest = BATCH.get(lm.device.type, LARGEST_BATCH)
    batch = max(1, min(largest, int(room / (logits.nbytes + states))))
    row = min(Limits.row, batch)
    limits = Limits(row=row, trunk=min(Limits.trunk, row), batch=batch, keys=int(room / key))
    log.info("Passes of %d tokens, with %d keys at most", limits.batch, limits.keys)
    return limits


def _devices(lm: Any) -> set[torch.device]:
    found = {weight.device for weight in lm.model.parameters()} - {torch.device("meta")}
    return found | {lm.device}


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    import psutil

    return int(psutil.virtual_memory().available)
