from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboards.page.blocks import Writer, in_page, pack
from tests.unit.leaderboards.page.reading import unpack

TOLD = {"a": [1, 0.5, None], "b": "</script><!-- \u2028 \ud800", "c": {"d": True}}


def filled(items):
    writer = Writer()
    for item in items:
        writer = writer.append(item)
    return writer


def test_pack_reads_back_and_is_plain_ascii():
    assert unpack(pack(TOLD)) == TOLD
    assert pack(TOLD).isascii() and "<" not in pack(TOLD)


def test_pack_same_content_gives_the_same_bytes():
    assert pack(TOLD) == pack(dict(TOLD))


def test_pack_refuses_what_is_no_json():
    with pytest.raises(ValueError):
        pack([math.nan])


@given(st.lists(st.text() | st.lists(st.integers() | st.none()), max_size=8))
def test_writer_reads_back_as_the_list(items):
    assert unpack(filled(items).finish()) == items


def test_writer_append_leaves_the_shorter_one_as_it_was():
    one = filled(["first"])
    two = one.append("second")
    assert unpack(one.finish()) == ["first"] and unpack(two.finish()) == ["first", "second"]
    assert unpack(two.append("third").finish()) == ["first", "second", "third"]


@given(st.lists(st.text(max_size=400), max_size=12))
def test_writer_size_is_what_it_takes_but_for_the_end(items):
    writer = filled(items)
    assert 0 <= len(writer.finish()) - writer.size <= 32


def test_in_page_is_the_length_of_base64():
    import base64

    assert all(in_page(size) == len(base64.b64encode(b"x" * size)) for size in range(50))
