"""A reply that lists questions, cut into them: each with its options, without its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from harness.parsing.options import find_bulleted, find_options, tidy_options
from harness.parsing.replies import drop_invisible, drop_quotes

MAX_LENGTH = 50_000
"""Characters of a reply that are read."""

AUXILIARIES = frozenset(
    "is are was were am be do does did can could will would shall should may might must has have"
    " had isn't aren't wasn't weren't don't doesn't didn't can't cannot couldn't won't wouldn't"
    " shouldn't hasn't haven't hadn't".split()
)
ASKING = frozenset("what which who whom whose when where why how what's who's where's".split())

_TAG = re.compile(r"</?(?:br|li|ol|ul|p|div|b|i|strong|em|span|h\d)\b[^<>\n]{0,80}>", re.IGNORECASE)
_ANSWER_KEY = re.compile(
    r"\n[^\w\n]*(?:the )?(?:correct )?(?:answer key|answers)[^\w\n]*\n.*", re.IGNORECASE | re.DOTALL
)
_NUMBER = r"[\[(]?(?P<number>\d{1,3})(?:[\]).:]{1,2}(?=\s|[\"“'*(A-Z]|$)|[ \t]+[-–—](?=[ \t]))"
_LABEL = (
    r"[\"']?(?:follow[- ]?up[ -])?(?:questions?|q)[\"']?"
    r"(?:[ \t]*[#(]?(?P<label>\d{1,3})\)?[ \t]*(?:[.:)–—-]{1,2}|(?=\s|$))|[ \t]*:|\s*$)"
    r"|follow[- ]?up[ \t]*#?\d{1,3}[ \t]*[.:)–—-]"
)
_NUMBERED = re.compile(
    rf"[ \t]*(?:[-*•·–▪◦+>#]{{1,6}}[ \t]+)?(?:{_NUMBER}|{_LABEL})\s*", re.IGNORECASE
)
_BULLET = re.compile(r"[ \t]*[-*•·–▪◦+][ \t]+")
_NEW_QUESTION = re.compile(
    r"[ \t]*(?:(?:new|next|other|original|example) (?:follow[- ]?up )?)?question[^\w?\n]{1,4}",
    re.IGNORECASE,
)
_LETTERED = re.compile(r"[ \t]*\(?(?:[A-Za-z]|[ivxIVX]{2,5})[).][ \t]+(?=[^\n]*\?)")
_OPTION_LINE = re.compile(r"[ \t]*(?:[-*•·–▪◦+][ \t]+)?[(\[]?[A-Za-z][)\].:]", re.IGNORECASE)
_FIRST_OPTION = re.compile(r"[ \t]*(?:[-*•·–▪◦+][ \t]+)?[(\[]?A[)\].:]", re.IGNORECASE)
_OPTION_P = re.compile(r"[^\w\n]*P[)\].:]")
"""After this option, "Q:" is the next one."""
_INLINE = re.compile(
    r"(?<=[\s?.!])(?:\(?(?P<number>\d{1,3})[.)](?=[ \t]+\S)|Q(?:uestion )?(?P<label>\d{1,3})[.:)])"
)
_INLINE_LABEL = re.compile(
    r"(?<=[\w?.!)])[ \t]+(?=Q(?:uestion)?:)|(?<=\?)[ \t]+(?=[-•*][ \t]+(?!(?i:yes|no)\b)[A-Z])"
)
_ANSWER = re.compile(
    r"(?:^|(?<=\n)|(?<=[\s(\[?.!]))[^\w\n]{0,4}(?:the )?"
    r"(?:(?:correct|right|best|expected|suggested) )?"
    r"(?:(?:answer|ans|explanation|rationale|solution|hint)\s*\d{0,3}(?: is)?\s*[:=]|A\d{1,3}:)",
    re.IGNORECASE,
)
_ONLY_ANSWER = re.compile(
    r"\W*(?:(?:answer|ans|a)\d{0,3}\s*[:.]?\s*)?(?:yes|no|true|false|unknown|[a-z])?"
    r"(?:[.,;:)!—–-].{0,300})?\W*",
    re.IGNORECASE | re.DOTALL,
)
_TOLD = re.compile(
    r"(?:\s+[-–—(\[]|[.!,])\s*(?:yes|no|true|false)(?!\w).*", re.IGNORECASE | re.DOTALL
)
_TITLE = re.compile(r"(?:\w[\w'’-]*[ /&]{0,3}){1,6}:\s+(?=[\"“']?[A-Z])")
_YES_OR_NO = re.compile(
    r"\s*[(\[]\s*(?:yes|true|y)\s*(?:/|or)\s*(?:no|false|n)\s*[)\]]"
    r"|^(?:yes or no|yes/no)\s*[:,-]\s*",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"\W*(?:would you like|do you (?:want|need|have any)|shall i|is there anything|can i help"
    r"|should i|does (?:this|that) help|is (?:this|that) (?:ok|okay|helpful|what you))\b",
    re.IGNORECASE,
)
_LIST_WORD = re.compile(
    r"\s*\(?(?:options|choices|answer choices|possible answers)\s*:?\s*\Z", re.IGNORECASE
)
_QUESTION_KEYS = frozenset({"question", "text", "q", "prompt", "follow_up", "follow-up", "stem"})
_OPTION_KEYS = frozenset({"options", "choices", "answers", "option"})
_OPENING_QUOTES = "\"'“”‘’«»`[{( "


class Block(NamedTuple):
    """A question of a list.

    Attributes:
        question: on one line, as far as its question mark.
        options: the texts of its options, in the order of their letters; empty: it has none.
        spoiled: its options are lettered wrongly, repeated, or empty.
    """

    question: str
    options: tuple[str, ...] = ()
    spoiled: bool = False


def split_blocks(text: str, with_options: bool) -> list[Block]:
    """Cut a reply into the questions it lists, and other items of the list; introductions go.

    Args:
        text: the reply as plain text.
        with_options: whether "A) ..." begins an option rather than a question.
    """
    text = _TAG.sub("\n", text[:MAX_LENGTH]).replace("？", "?").replace("\t", " ")
    listed = _from_json(text)
    if listed is not None:
        return listed
    text = _ANSWER_KEY.sub("", text)
    lines = [part for line in text.split("\n") for part in _split_line(line, with_options)]
    groups = _group(_renumbered(lines), with_options)
    asked = [group for group in groups if not _ONLY_ANSWER.fullmatch(group[:400])]
    blocks = [_block(group, with_options) for group in asked]
    return [*blocks, Block("")] if groups and not groups[-1].strip() else blocks


def strip_marks(line: str) -> str:
    """Take the number, the bullet and the "Question:" off the start of a line of a list."""
    for _ in range(3):
        found = _NUMBERED.match(line) or _BULLET.match(line) or _NEW_QUESTION.match(line)
        if not found:
            break
        line = line[found.end() :]
    return line.strip()


def first_word(text: str) -> str:
    """Give the first word of a question, in lower case."""
    found = re.search(r"\w[\w'’]*", text[:200])
    return found[0].lower().replace("’", "'") if found else ""


def _asks(text: str) -> bool:
    return "?" in text or first_word(text) in AUXILIARIES | ASKING


def _split_line(line: str, with_options: bool) -> list[str]:
    return [line] if not line.strip() else _INLINE_LABEL.split(line)


def _renumbered(lines: Sequence[str]) -> list[str]:
    """Break lines on which the next number of the list stands."""
    broken: list[str] = []
    expected = 1
    for line in lines:
        opened = _NUMBERED.match(line)
        if opened and (opened["number"] or opened["label"]):
            expected = int(opened["number"] or opened["label"]) + 1
        start = 0
        for mark in _INLINE.finditer(line, opened.end() if opened else 0):
            if int(mark["number"] or mark["label"]) == expected:
                broken.append(line[start : mark.start()])
                start, expected = mark.start(), expected + 1
        broken.append(line[start:])
    return broken


def _group(lines: Sequence[str], with_options: bool) -> list[str]:
    """Join the lines of each question; a numbered list goes before bullets and bare lines."""

    def numbered(at: int) -> str | None:
        after_p = with_options and at > 0 and _OPTION_P.match(lines[at - 1])
        return None if after_p else _after(_NUMBERED, lines[at])

    def bulleted(at: int) -> str | None:
        is_option = with_options and _OPTION_LINE.match(lines[at])
        return None if is_option else _after(_BULLET, lines[at])

    def lettered(at: int) -> str | None:
        return None if with_options else _after(_LETTERED, lines[at])

    starts = (numbered, bulleted, lettered)
    marked = [_groups_from(lines, start) for start in starts]
    for groups in marked:
        if any(_asks(group) or (with_options and find_options(group).texts) for group in groups):
            return groups
    bare = _bare_blocks(lines) if with_options else list(_bare_questions(lines))
    return bare or next(filter(None, marked), [])


def _after(mark: re.Pattern[str], line: str) -> str | None:
    """Give what follows a mark and a label after it ("1. Question:"); None: no mark."""
    found = mark.match(line)
    if not found:
        return None
    rest = line[found.end() :]
    again = _NUMBERED.match(rest)
    return rest[again.end() :] if again and not again["number"] else rest


def _groups_from(lines: Sequence[str], start: Callable[[int], str | None]) -> list[str]:
    groups: list[list[str]] = []
    for at, line in enumerate(lines):
        opened = start(at)
        if opened is not None:
            groups.append([opened])
        elif groups:
            groups[-1].append(line)
    texts = ["\n".join(group) for group in groups]
    return [text for text in texts[:-1] if text.strip()] + texts[-1:]


def _bare_blocks(lines: Sequence[str]) -> list[str]:
    """Group lines without marks: a question and the options below it."""
    filled = [line for line in lines if line.strip()]

    def start(at: int) -> str | None:
        if _OPTION_LINE.match(filled[at]) or _OFFER.match(filled[at]):
            return None
        leads = at + 1 < len(filled) and _FIRST_OPTION.match(filled[at + 1])
        return filled[at] if leads or "?" in filled[at] else None

    return _groups_from(filled, start)


def _bare_questions(lines: Sequence[str]) -> Iterator[str]:
    """Find the questions in lines without marks; prose beside them is none."""
    for line in lines:
        pieces = [f"{piece}?" for piece in line.split("?")[:-1] if piece.strip()]
        for piece in pieces:
            asked = piece.rpartition("|")[2].strip(" ,;" + _OPENING_QUOTES)
            if first_word(asked) not in AUXILIARIES | ASKING:
                asked = re.split(r"[.!:]\s+", asked)[-1]
            if not _OFFER.match(asked):
                yield asked
        if (
            not pieces
            and first_word(line) in AUXILIARIES
            and not line.rstrip().endswith((".", ":", "!"))
        ):
            yield line


def _block(group: str, with_options: bool) -> Block:
    """Read a question with what follows it; its options may have bullets in place of letters."""
    asked = group.find("?")
    found = _ANSWER.search(group, asked + 1 if asked >= 0 else 1) if group else None
    body = group[: found.start()] if found else group
    options = find_options(body)
    if with_options and not (options.texts or options.spoiled):
        options = find_bulleted(body)
    question = _question(body[: options.start])
    return Block(question, options.texts, options.spoiled)


def _question(part: str) -> str:
    """Read the question that a part begins with: as far as its question mark, on one line."""
    paragraph = part.strip().partition("\n\n")[0]
    lines = [_BULLET.sub("", line, count=1).strip() for line in paragraph.split("\n")]
    if "?" not in lines[0]:
        own = [line for line in lines if "?" in line and first_word(line) in AUXILIARIES | ASKING]
        lines = own[:1] or lines
    text = " ".join(" ".join(lines).split())
    text = _LIST_WORD.sub("", _YES_OR_NO.sub("", text))
    asked = re.match(r"[^?]*\?+[\"”’'»]*", text)
    text = asked[0] if asked else _TOLD.sub("", text, count=1)
    text = drop_quotes(text.strip(" ,;"))
    if text[:1] in {'"', "“"} and not {'"', "”"} & set(text[1:]):
        text = text[1:]
    title = _TITLE.match(text)
    if title and _asks(text[title.end() :]):
        text = text[title.end() :]
    return re.sub(r"\?[?\"”’'»]*\Z", "?", drop_quotes(text))


def _from_json(text: str) -> list[Block] | None:
    """Read a JSON list of questions; None if the reply is none."""
    opening = re.search(r"[\[{]", text)
    closing = max(text.rfind("]"), text.rfind("}"))
    if not opening or "?" in text[: opening.start()]:
        return None
    try:
        data = json.loads(text[opening.start() : closing + 1])
    except (ValueError, RecursionError):
        return None
    items = _items(data)
    return None if items is None else [_json_block(item) for item in items]


def _items(data: Any) -> list[Any] | None:
    """Find the list in {"questions": [...]}, {"1": ..., "2": ...}, or a single question."""
    if isinstance(data, list):
        return data if any(isinstance(item, (str, dict)) for item in data) else None
    if not isinstance(data, dict) or not data:
        return None
    if any("question" in key.lower() and isinstance(data[key], str) for key in data):
        return [data] if len(data) <= 4 and "question" in data else list(data.values())
    inside = [value for value in data.values() if isinstance(value, list)]
    return inside[0] if inside else list(data.values())


def _json_block(item: Any) -> Block:
    if isinstance(item, str):
        return _block(drop_invisible(item), with_options=False)
    if not isinstance(item, dict):
        return Block("")
    texts = (v for k, v in item.items() if isinstance(v, str) and k.lower() in _QUESTION_KEYS)
    question = _question(drop_invisible(next(texts, "")))
    listed = next((v for k, v in item.items() if k.lower() in _OPTION_KEYS), None)
    options = find_options("") if listed is None else tidy_options(listed)
    return Block(question, options.texts, options.spoiled)
