"""Data within the page: JSON, compressed, in base64, which no text can break out of."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

GZIP = 31
"""The window of zlib that writes gzip's format, in which browsers decompress; it holds no time."""


class Writer:
    """A JSON list that is compressed item by item, so that its size is always known."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(9, wbits=GZIP)
        self._parts: tuple[bytes, ...] = ()
        self._count = 0

    @property
    def size(self) -> int:
        """Bytes so far, as they will stand in the page, but for the list's end."""
        return in_page(sum(map(len, self._parts)))

    def append(self, item: Any) -> Writer:
        """Give a writer that has one item more; this one stays as it is."""
        longer = Writer()
        longer._stream = self._stream.copy()
        text = ("," if self._count else "[") + compact(item)
        packed = longer._stream.compress(text.encode())
        packed += longer._stream.flush(zlib.Z_SYNC_FLUSH)
        longer._parts = (*self._parts, packed)
        longer._count = self._count + 1
        return longer

    def finish(self) -> str:
        """Give the block."""
        stream = self._stream.copy()
        end = stream.compress(b"]" if self._count else b"[]") + stream.flush()
        return base64.b64encode(b"".join([*self._parts, end])).decode()


def pack(told: Any) -> str:
    """Make a block of anything that JSON can say."""
    stream = zlib.compressobj(9, wbits=GZIP)
    packed = stream.compress(compact(told).encode()) + stream.flush()
    return base64.b64encode(packed).decode()


def compact(told: Any) -> str:
    """Write JSON without spaces, in ASCII; NaN is refused."""
    return json.dumps(told, separators=(",", ":"), allow_nan=False)


def in_page(size: int) -> int:
    """Say how long so many bytes are in base64."""
    return (size + 2) // 3 * 4
