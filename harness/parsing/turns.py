"""Where a model's own turn ends: what it writes after that is somebody else's."""

from __future__ import annotations

import re

from harness.parsing.replies import drop_invisible, drop_thinking

_OPENS = re.compile(
    r"\s*(?:<\|[^|<>\n]{1,40}\|>|<(?:start_of_turn|bos|s)>|</s>|<(?:end_of_turn|eos)>"
    r"|(?:assistant|model)\b:?[ \t]*(?=\n|<\|))"
)
_ENDS = re.compile(
    r"<\|(?:eot_id|eom_id|im_end|im_start|endoftext|end_of_text|end|end_of_turn|start_header_id|user"
    r"|assistant|system)\|>|</s>|<(?:end_of_turn|start_of_turn|eos)>"
    r"|(?<=[.!?)*])assistant[ \t]*\n[ \t]*\n"  # what is left of <|start_header_id|>assistant
    r"|\n[ \t]*(?:#{1,4}[ \t]*)?(?i:assistant|user|human|system)[ \t]*:?[ \t]*(?=\n|\Z)"
)
_MOST_MARKS = 10


def own_turn(answer: str) -> str:
    """Cut an answer at the end of the model's turn, without its reasoning block.

    A turn ends at an end token of a chat format, or at a line that is only "assistant" or "User:".

    >>> own_turn("Pears float.<|eot_id|>assistant\\n\\nPears sink.")
    'Pears float.'
    """
    text = drop_thinking(drop_invisible(answer))
    for _ in range(_MOST_MARKS):
        opened = _OPENS.match(text)
        if not opened:
            break
        text = text[opened.end() :]
    return _ENDS.split(text, maxsplit=1)[0]
