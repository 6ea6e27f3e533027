"""The edited text in a reply."""

from __future__ import annotations

import re

from harness.parsing.reading import Reading
from harness.parsing.replies import (
    drop_chatter,
    drop_introduction,
    drop_quotes,
    is_refusal,
    plain,
)

_QUOTED_THEN_REMARK = re.compile(r"[\"“]([^\"“”]{20,})[\"”]\s*\n[^\n\"“”]{0,300}$")


def read_edit(answer: str, original: str = "") -> Reading[str]:
    """Read the text that a model gives back: without introduction, quotes, fences and remarks.

    Args:
        answer: what the model wrote.
        original: the text it was to edit; what stands there is no remark of the model.

    >>> read_edit('Sure, here is the edited text:\\n\\n"A dull film."\\n\\nI changed "fine".').value
    'A dull film.'
    """
    text = plain(answer)
    if not text:
        return Reading.unreadable("empty")
    if is_refusal(text):
        return Reading.unreadable("refusal")
    text = drop_introduction(drop_chatter(drop_introduction(text), original))
    quoted = _QUOTED_THEN_REMARK.fullmatch(text)
    text = drop_introduction(drop_quotes(quoted[1] if quoted else text))
    if is_refusal(text):
        return Reading.unreadable("refusal")
    return Reading.read(text) if text else Reading.unreadable("empty")
