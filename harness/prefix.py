"""Token sequences that share their beginnings, and how to run each shared token once.

Sequences in lexicographic order are the leaves of a trie in preorder: a node's descendants are the
nodes from itself to its `end`. One comparison of node numbers therefore says what a token may
attend to, wherever its row was packed. Pure: no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

Tokens = tuple[int, ...]


class Trie:
    """Distinct token sequences as a tree; a node is a token after all tokens before it.

    Args:
        sequences: token ids; none empty. Equal ones are one.

    Attributes:
        sequences: the distinct ones, in lexicographic order.
        shared: how many tokens a sequence has in common with the one before it.
        start: number of a sequence's first node that the ones before it lack; the last entry is
            the number of nodes N, which also stands for padding.
        leaf: node of a sequence's last token.
        parent: node -> node before it, -1 at the beginning.
    """

    def __init__(self, sequences: Iterable[Tokens]) -> None:
        self.sequences = sorted(set(sequences))
        self.shared: list[int] = []
        self.start: list[int] = [0]
        self.leaf: list[int] = []
        self.parent: list[int] = []
        path: list[int] = []
        before: Tokens = ()
        for sequence in self.sequences:
            common = _count_common(before, sequence)
            first = self.start[-1]
            new = range(first, first + len(sequence) - common)
            path = path[:common]
            self.parent += [path[-1] if path else -1, *new[:-1]] if new else []
            path += new
            self.shared.append(common)
            self.start.append(new.stop)
            self.leaf.append(path[-1])
            before = sequence

    def __len__(self) -> int:
        """Count the nodes: the tokens that have to be computed."""
        return self.start[-1]

    def path(self, sequence: int, beyond: int = 0) -> list[int]:
        """Give the nodes of a sequence's tokens, from number `beyond` on."""
        length = len(self.sequences[sequence])
        nodes = []
        node = self.leaf[sequence]
        for _ in range(length - beyond):
            nodes.append(node)
            node = self.parent[node]
        return nodes[::-1]

    def size(self, first: int, stop: int, beyond: int) -> int:
        """Count the nodes of some sequences, from token number `beyond` on, which they share."""
        return len(self.sequences[first]) - beyond + self.start[stop] - self.start[first + 1]

    @cached_property
    def tokens(self) -> Tensor:
        """Token ids, (N + 1,)."""
        new = [
            token
            for sequence, common in zip(self.sequences, self.shared, strict=True)
            for token in sequence[common:]
        ]
        return torch.tensor([*new, 0])

    @cached_property
    def depth(self) -> Tensor:
        """Position of each token in its sequence, from 0, (N + 1,)."""
        depths = [
            depth
            for sequence, common in zip(self.sequences, self.shared, strict=True)
            for depth in range(common, len(sequence))
        ]
        return torch.tensor([*depths, 0])

    @cached_property
    def end(self) -> Tensor:
        """One past the last descendant, (N + 1,); padding descends from padding alone."""
        ends = list(range(1, len(self) + 1))
        for node in range(len(self) - 1, 0, -1):
            above = self.parent[node]
            if above >= 0:
                ends[above] = max(ends[above], ends[node])
        return torch.tensor([*ends, len(self) + 1])

    def attends(
        self, queries: Tensor, keys: Tensor, window: int | None = None, device: Any = None
    ) -> Tensor:
        """Say which keys are ancestors of which queries, or the queries themselves.

        Args:
            queries: nodes, (rows, queries).
            keys: nodes, (rows, keys).
            window: if given, how many tokens back a token sees, itself included.
            device: where to compute the answer.

        Returns:
            Truth values, (rows, queries, keys).
        """
        asking, told = queries.to(device)[:, :, None], keys.to(device)[:, None, :]
        mask = (told <= asking) & (asking < self.end[keys].to(device)[:, None, :])
        if window is not None:
            reach = self.depth[queries].to(device)[:, :, None] - window
            mask &= self.depth[keys].to(device)[:, None, :] > reach
        return mask


@dataclass(frozen=True)
class Limits:
    """How large things may be, in tokens.

    Attributes:
        row: what is packed into one row, prefix not counted.
        trunk: a shared prefix at least so long gets a pass of its own, whose keys and values
            serve all that follows; a shorter one is computed again in every row.
        batch: a pass, with padding.
        keys: keys that a pass and the prefixes held for it and for later ones have, over all rows.
    """

    row: int = 256
    trunk: int = 64
    batch: int = 1024
    keys: int = 1 << 16

    def halved(self) -> Limits | None:
        """Give half as much room; None if there is no less."""
        if self.batch == 1:
            return None
        batch = self.batch // 2
        row = min(self.row, batch)
        return replace(self, batch=batch, row=row, trunk=min(self.trunk, row), keys=self.keys // 2)


@dataclass(frozen=True)
class Step:
    """One pass through the model.

    Attributes:
        rows: per row the nodes to compute, in ascending order.
        prefixes: per row the row of the pass that is its prefix: of those whose keys and values
            are held, the one at `level`. Empty at level 0, which has no prefix.
        level: how many held passes precede the rows.
        held: whether keys and values are held for steps of the next level, in place of any that
            are held there.
    """

    rows: list[list[int]]
    prefixes: list[int]
    level: int
    held: bool


@dataclass(frozen=True)
class _Branch:
    """Sequences first..stop, of whose tokens the first `beyond` are held in row `prefix`."""

    first: int
    stop: int
    beyond: int
    prefix: int


_Row = tuple[list[int], int]


def plan(trie: Trie, limits: Limits) -> Iterator[Step]:
    """Say in which passes to compute every node, prefixes before what hangs on them."""
    if trie.sequences:
        yield from _descend(trie, limits, [_Branch(0, len(trie.sequences), 0, 0)], ())


def _descend(
    trie: Trie, limits: Limits, branches: list[_Branch], held: tuple[tuple[int, int], ...]
) -> Iterator[Step]:
    """Compute what hangs on the held passes: `held` has the rows of each, and their tokens."""
    rows: list[_Row] = []
    trunks: list[tuple[_Row, _Branch]] = []
    for branch in branches:
        loose, heavy = _divide(trie, limits, branch)
        rows += [(row, branch.prefix) for row in _pack(trie, limits, loose, branch.beyond)]
        for below in heavy:
            stem = trie.path(below.first)[branch.beyond : below.beyond]
            trunks.append(((stem, branch.prefix), below))
    level, width = len(held), sum(tokens for _, tokens in held)
    depths = accumulate(tokens for _, tokens in held)
    room = limits.keys - sum(count * depth for (count, _), depth in zip(held, depths, strict=True))
    for batch in _batches(rows, limits.batch, room, width):
        yield _step([rows[place] for place in batch], level, held=False)
    stems = [stem for stem, _ in trunks]
    for batch in _batches(stems, limits.batch, room, width):
        yield _step([stems[place] for place in batch], level, held=True)
        hanging = [replace(trunks[place][1], prefix=slot) for slot, place in enumerate(batch)]
        longest = max(len(stems[place][0]) for place in batch)
        yield from _descend(trie, limits, hanging, (*held, (len(batch), longest)))


def _step(rows: list[_Row], level: int, *, held: bool) -> Step:
    prefixes = [prefix for _, prefix in rows] if level else []
    return Step([nodes for nodes, _ in rows], prefixes, level, held)


def _divide(trie: Trie, limits: Limits, branch: _Branch) -> tuple[list[int], list[_Branch]]:
    """Part a branch into sequences that fit into rows, and branches with a prefix to be held."""
    loose: list[int] = []
    heavy: list[_Branch] = []
    stack = [(branch.first, branch.stop)]
    while stack:
        first, stop = stack.pop()
        if trie.size(first, stop, branch.beyond) <= limits.row:
            loose += range(first, stop)
            continue
        common = min(trie.shared[first + 1 : stop], default=len(trie.sequences[first]))
        if common - branch.beyond >= limits.trunk:
            reach = min(common, branch.beyond + limits.batch)
            heavy.append(_Branch(first, stop, reach, branch.prefix))
            continue
        splits = [place for place in range(first + 1, stop) if trie.shared[place] == common]
        bounds = [first, *splits, stop]
        stack += reversed(list(pairwise(bounds)))
    return loose, heavy


def _pack(trie: Trie, limits: Limits, loose: list[int], beyond: int) -> Iterator[list[int]]:
    """Fill rows with sequences in order, and with each what it does not share with the last."""
    row: list[int] = []
    last = -1
    for place in loose:
        if len(trie.sequences[place]) <= beyond:
            continue
        common = min(trie.shared[last + 1 : place + 1]) if row else beyond
        new = trie.path(place, common)
        if row and len(row) + len(new) > limits.row:
            yield row
            row, new = [], trie.path(place, beyond)
        row = row + new
        last = place
    if row:
        yield row


def _batches(rows: Sequence[_Row], tokens: int, keys: int, width: int) -> Iterator[list[int]]:
    """Group rows of like length, longest first; each row has a prefix of `width` keys besides."""
    batch: list[int] = []
    longest = 0
    for place in sorted(range(len(rows)), key=lambda place: -len(rows[place][0])):
        count = len(batch) + 1
        if batch and (count * longest > tokens or count * (width + longest) > keys):
            yield batch
            batch = []
        longest = len(rows[place][0]) if not batch else longest
        batch.append(place)
    if batch:
        yield batch


def _count_common(one: Tokens, other: Tokens) -> int:
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))
