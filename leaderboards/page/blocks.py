"""Data within the page: JSON, compressed, in base64, which no text can break out of."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

GZIP = 31
"""The window of zlib that writes gzip's format, in which browsers decompress; it holds no time."""

Parts = tuple[bytes, "Parts | None"]
"""What was compressed last, and all before it: writers share it."""


class Writer:
    """A JSON list that is compressed item by item, so that its size is always known."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(9, wbits=GZIP)
        self._parts: Parts | None = None
        self._bytes = 0

    @property
    def size(self) -> int:
        """Bytes so far, as they will stand in the page, but for the list's end."""
        return in_page(self._bytes)

    def append(self, item: Any) -> Writer:
        """Give a writer that has one item more; this one stays as it is."""
        longer = Writer()
        longer._stream = self._stream.copy()
        text = ("," if self._parts else "[") + compact(item)
        packed = longer._stream.compress(text.encode())
        packed += longer._stream.flush(zlib.Z_SYNC_FLUSH)
        longer._parts = packed, self._parts
        longer._bytes = self._bytes + len(packed)
        return longer

    def finish(self) -> str:
        """Give the block."""
        stream = self._stream.copy()
        told = [stream.compress(b"]" if self._parts else b"[]") + stream.flush()]
        parts = self._parts
        while parts is not None:
            packed, parts = parts
            told.append(packed)
        return base64.b64encode(b"".join(reversed(told))).decode()


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
