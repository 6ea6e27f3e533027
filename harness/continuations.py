"""Log-likelihoods of continuations on a causal model, each shared token computed once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from harness.causal import Causal, KeysValues
from harness.prefix import Limits, Step, Tokens, Trie, plan

CHUNK = 256  # positions whose log-probabilities are held together
Score = tuple[float, bool]


class Continuation(NamedTuple):
    """What is scored: the last of `tokens` predict `targets`, one each.

    `tokens` is what the model reads: context and continuation without the last token.
    """

    tokens: Tokens
    targets: Tokens

    @classmethod
    def cut(cls, context: Sequence[int], continuation: Sequence[int], room: int) -> Continuation:
        """Cut the start of what is longer than `room` tokens, as lm-eval does."""
        whole = (*context, *continuation)[-(room + 1) :]
        return cls(whole[:-1], tuple(continuation))


@dataclass(frozen=True)
class _Held:
    """Keys and values of prefixes, and which nodes they are of: (prefixes, keys)."""

    nodes: Tensor
    past: KeysValues

    def of(self, prefixes: list[int]) -> _Held:
        """Give the prefix of every row; one that all rows share is expanded."""
        places = torch.tensor(prefixes)
        if len(self.nodes) == 1:
            shape = (len(prefixes), -1, -1, -1)
            past = [(keys.expand(shape), values.expand(shape)) for keys, values in self.past]
        else:
            past = [
                (keys[places.to(keys.device)], values[places.to(values.device)])
                for keys, values in self.past
            ]
        return _Held(self.nodes[places], past)


def score(
    causal: Causal, asked: Sequence[Continuation], limits: Limits
) -> Iterator[tuple[int, list[Score]]]:
    """Score continuations, as their tokens get done.

    Yields:
        Place in `asked`, and per token its log-probability and whether it is the likeliest one.

    Raises:
        torch.OutOfMemoryError, RuntimeError: of the model; what was given by then is right.
    """
    trie = Trie(one.tokens for one in asked)
    number = {sequence: place for place, sequence in enumerate(trie.sequences)}
    targets: dict[int, list[int]] = defaultdict(list)
    ending: dict[int, list[int]] = defaultdict(list)
    nodes = []
    for place, one in enumerate(asked):
        sequence = number[one.tokens]
        path = trie.path(sequence, len(one.tokens) - len(one.targets))
        nodes.append(path)
        ending[trie.leaf[sequence]].append(place)
        for node, target in zip(path, one.targets, strict=True):
            if target not in targets[node]:
                targets[node].append(target)
    told: dict[tuple[int, int], Score] = {}
    for step_scores in _scores(causal, trie, targets, limits):
        told |= step_scores
        for node in dict.fromkeys(node for node, _ in step_scores):
            for place in ending.pop(node, ()):
                pairs = zip(nodes[place], asked[place].targets, strict=True)
                yield place, [told[pair] for pair in pairs]


def _scores(
    causal: Causal, trie: Trie, targets: dict[int, list[int]], limits: Limits
) -> Iterator[dict[tuple[int, int], Score]]:
    held: list[_Held] = []
    done: set[int] = set()
    for step in plan(trie, limits):
        del held[step.level :]
        width = max(map(len, step.rows))
        wanted = {}
        for place, row in enumerate(step.rows):
            for column, node in enumerate(row):
                if node in targets and node not in done:
                    done.add(node)
                    wanted[node] = place * width + column
        logits, kept = _run(causal, trie, step, held, list(wanted.values()) or [0])
        if step.held:
            held.append(kept)
        read = _read(logits, [(node, targets[node]) for node in wanted])
        del logits, kept  # or they would live on beside those of the next pass
        yield read


def _run(
    causal: Causal, trie: Trie, step: Step, held: list[_Held], chosen: list[int]
) -> tuple[Tensor, _Held]:
    device = causal.lm.device
    rows = _padded(step.rows, len(trie))
    prefix = held[-1].of(step.prefixes) if step.level else _Held(rows[:, :0], [])
    nodes = torch.cat([prefix.nodes, rows], 1)
    if not step.level and all(trie.depth[row[-1]] == len(row) - 1 for row in step.rows):
        mask = None  # one sequence a row, from its start: attention that is causal by itself
        positions = torch.arange(rows.shape[1]).expand(rows.shape)
    else:
        window = causal.window
        near = None if window is None else trie.attends(rows, nodes, window, device)
        mask = causal.mask(trie.attends(rows, nodes, device=device), near)
        positions = trie.depth[rows]
    logits, kept = causal.forward(
        trie.tokens[rows].to(device),
        positions.to(device),
        mask,
        prefix.past,
        torch.tensor(chosen, device=device),
    )
    return logits, _Held(nodes, kept)


def _padded(rows: list[list[int]], padding: int) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [padding] * (width - len(row)) for row in rows])


def _read(logits: Tensor, asked: list[tuple[int, list[int]]]) -> dict[tuple[int, int], Score]:
    """Take log-probabilities, in float32, of the targets of each position."""
    told: dict[tuple[int, int], Score] = {}
    for start in range(0, len(asked), CHUNK):
        some = asked[start : start + CHUNK]
        part = log_softmax(logits[start : start + len(some)], -1, dtype=torch.float32)
        best = part.argmax(-1).tolist()
        places = [place for place, (_, targets) in enumerate(some) for _ in targets]
        tokens = [token for _, targets in some for token in targets]
        for place, token, value in zip(places, tokens, part[places, tokens].tolist(), strict=True):
            told[some[place][0], token] = (value, best[place] == token)
    return told
