"""Every token is computed once, after those before it in its sequence, and sees them alone."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.prefix import Limits, Trie, plan

TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=40).map(tuple)
FORESTS = st.builds(
    lambda primer, sequences, others: [*(primer + one for one in sequences), *others],
    st.lists(st.integers(0, 2), max_size=50).map(tuple),
    st.lists(TOKENS, min_size=1, max_size=20),
    st.lists(TOKENS, max_size=5),
)


@st.composite
def limits(draw):
    row = draw(st.integers(1, 64))
    return Limits(
        row=row,
        trunk=draw(st.integers(1, row)),
        batch=draw(st.integers(row, 128)),
        keys=draw(st.sampled_from([1, 64, 10_000])),
    )


def run(trie: Trie, steps):
    """Compute the steps as a model would whose state at a token is all tokens that it sees."""
    held: list[torch.Tensor] = []
    for step in steps:
        del held[step.level :]
        width = max(map(len, step.rows))
        rows = torch.tensor([row + [len(trie)] * (width - len(row)) for row in step.rows])
        if step.level:
            places = torch.tensor(step.prefixes)
            keys = torch.cat([held[-1][places], rows], 1)
        else:
            assert not step.prefixes
            keys = rows
        seen = trie.attends(rows, keys)
        assert seen.any(-1).all(), "attention to nothing is NaN"
        for row, nodes, told in zip(rows.tolist(), keys.tolist(), seen, strict=True):
            for node, mask in zip(row, told.tolist(), strict=True):
                if node < len(trie):
                    visible = [one for one, sees in zip(nodes, mask, strict=True) if sees]
                    yield step, node, visible
        if step.held:
            held.append(keys)


@given(FORESTS, limits())
@settings(max_examples=300)
def test_a_token_sees_the_tokens_before_it_each_once_and_nothing_else(sequences, room):
    trie = Trie(sequences)
    text = {}
    for _, node, visible in run(trie, plan(trie, room)):
        assert trie.depth[visible].tolist() == list(range(len(visible)))
        text[node] = tuple(trie.tokens[visible].tolist())
    assert set(text) == set(range(len(trie)))
    ends = {text[leaf] for leaf in trie.leaf}
    assert ends == set(sequences)


@given(FORESTS, st.integers(1, 12))
@settings(max_examples=100)
def test_a_window_hides_what_is_further_back(sequences, window):
    trie = Trie(sequences)
    path = torch.tensor([trie.path(0)])
    mask = trie.attends(path, path, window)[0]
    places = torch.arange(path.shape[1])
    back = places[:, None] - places[None, :]
    assert torch.equal(mask, (back >= 0) & (back < window))


@given(FORESTS, limits())
@settings(max_examples=200)
def test_passes_keep_within_their_limits(sequences, room):
    trie = Trie(sequences)
    widths: list[int] = []
    held: list[int] = []
    for step in plan(trie, room):
        del widths[step.level :], held[step.level :]
        longest, before = max(map(len, step.rows)), sum(widths)
        assert longest <= max(room.row, room.batch)
        if len(step.rows) > 1:
            assert len(step.rows) * longest <= room.batch
            assert sum(held) + len(step.rows) * (before + longest) <= room.keys
        if step.held:
            widths.append(longest)
            held.append(len(step.rows) * (before + longest))


@given(FORESTS)
@settings(max_examples=100)
def test_a_node_is_a_distinct_beginning(sequences):
    beginnings = {one[: n + 1] for one in sequences for n in range(len(one))}
    assert len(Trie(sequences)) == len(beginnings)


def test_what_many_share_is_computed_once():
    primer = tuple(range(100))
    trie = Trie([(*primer, 200 + n, 300, 400) for n in range(50)])
    computed = [len(row) for step in plan(trie, Limits()) for row in step.rows]
    assert sum(computed) == len(trie) == 250


def test_a_short_beginning_is_repeated_rather_than_given_a_pass():
    trie = Trie([(1, 2, 3, *range(10 * n, 10 * n + 10)) for n in range(1, 9)])
    steps = list(plan(trie, Limits(row=32, trunk=8, batch=64)))
    assert not any(step.held for step in steps)
    assert sum(len(row) for step in steps for row in step.rows) == 80 + 3 * 4


def test_documents_with_contexts_of_their_own_share_passes():
    documents = [
        (*range(1000 * n, 1000 * n + 300 - n), choice) for n in range(4) for choice in (7, 8, 9)
    ]
    steps = list(plan(Trie(documents), Limits(row=64, trunk=32, batch=1200)))
    assert [(len(step.rows), step.held) for step in steps] == [(4, True), (4, False)]


def test_a_prefix_longer_than_a_pass_is_cut():
    trie = Trie([(*range(100), 7), (*range(100), 8)])
    held = [len(step.rows[0]) for step in plan(trie, Limits(row=8, trunk=4, batch=32)) if step.held]
    assert held == [32, 32, 32]


def test_nothing_to_do():
    assert list(plan(Trie([]), Limits())) == []


@pytest.mark.parametrize("start", [Limits(), Limits(row=1, trunk=1, batch=3, keys=5)])
def test_halving_ends_at_one_token(start):
    sizes = []
    room = start
    while room is not None:
        assert room.trunk <= room.row <= room.batch
        sizes.append(room.batch)
        room = room.halved()
    assert sizes[-1] == 1
    assert all(b == a // 2 for a, b in pairwise(sizes))
