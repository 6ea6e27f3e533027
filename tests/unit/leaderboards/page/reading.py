"""The blocks of a page, read back as a browser does: base64, gzip, JSON."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import Any

BLOCK = re.compile(r'<script type="text/plain" data-block="([^"]*)">([^<]*)</script>')


def unpack(block: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(block, validate=True)))


def blocks(page: str) -> dict[str, Any]:
    return {name: unpack(content) for name, content in BLOCK.findall(page)}
