"""What models wrap round an answer, taken off: fences, emphasis, quotes, introductions, remarks.

Every function takes any text, never raises, and needs time about linear in its length.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import islice, pairwise

from harness.words import split_words

MAX_LENGTH = 100_000
"""Characters of an answer that are read; no text under test is nearly as long."""

_TEXT = (
    r"(?:texts?|reviews?|paragraphs?|passages?|premises?|versions?|sentences?|stor(?:y|ies)|edits?"
    r"|rewrites?|words?|terms?|phrases?|keywords?|lists?|answers?|outputs?|responses?|results?|reply)"
)
_DONE = (
    r"(?:edited|revised|rewritten|modified|redacted|updated|changed|altered|new|final|masked"
    r"|corrected|adjusted)"
)
_SURE = re.compile(
    r"(?:sure(?: thing)?|certainly|of course|absolutely|ok|okay|yes|no problem|great|alright|got it"
    r"|understood)(?:[!,.]+[ \t]*|[ \t]*\n)\s*(?=here(?:['’]s| is| are)\b|below (?:is|are)\b"
    rf"|the following|i(?:['’]ve| have) {_DONE}\b|(?:the |my )?{_DONE} {_TEXT}\b|$)"
    r"|(?:sure(?: thing)?|certainly|of course|absolutely|okay|no problem|understood)[!.,]?\s*\n\s*"
    r"|(?:(?:sure|certainly|of course|absolutely|okay)[!.,]? )?i(?:['’]d be (?:happy|glad) to| can|"
    r"['’]ll) (?:help|assist|do|edit|rewrite|redact)\b[^.!:\n]{0,80}[.!:]\s*",
    re.IGNORECASE,
)
_INTRODUCTION = re.compile(
    rf"(?:(?:here(?:['’]s| is| are)|below (?:is|are)|the following|i(?:['’]ve| have) {_DONE}"
    rf"|i would|based on|to (?:make|change|edit|redact|replace))\b.{{0,180}}?\b{_TEXT}\b.{{0,180}}"
    rf"|(?:(?:the|my|your|an?|possible|minimally) ){{0,3}}(?:{_DONE} )?(?:{_DONE}|{_TEXT})"
    rf"(?: (?:(?:has been|can be|could be) {_DONE}|is|are|would be|could be|becomes|reads))?"
    r"(?: (?:with|that) .{1,80})?"
    r"(?: as follows)?(?: ?\(.{1,80}\))?)\s*",
    re.IGNORECASE,
)
_ORIGINAL_THEN_EDITED = re.compile(
    rf"original\b[^\n]*(?:\n(?!{_DONE}\b)[^\n]*)*\n{_DONE}(?: {_TEXT})?:\s*", re.IGNORECASE
)
_FENCED = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_FENCE_LINE = re.compile(r"^[ \t]*```[\w+-]*[ \t]*$\n?", re.MULTILINE)
_TURN_END = re.compile(r"<\|[^|<>\n]{1,40}\|>|</s>\s*$|<(?:eos|end_of_turn|start_of_turn)>")
_RULE = re.compile(r"^[ \t]*-{3,}[ \t]*$", re.MULTILINE)
_EMPHASIS = (
    re.compile(r"(?<![*\\])\*\*(?=[^\s*])([^*\n]*[^\s*])\*\*(?!\*)"),
    re.compile(r"(?<![*\\\w])\*(?=[^\s*])([^*\n]*[^\s*])\*(?![*\w])"),
    re.compile(r"(?<![\w\\])__(?=[^\s_])([^_\n]*[^\s_])__(?!\w)"),
    re.compile(r"(?<![\w\\])_(?=[^\s_])([^_\n]*[^\s_])_(?!\w)"),
    re.compile(r"(?<!`)`(?=[^\s`])([^`\n]*[^\s`])`(?!`)"),
    re.compile(r"^()(?:#{1,6}|>)[ \t]+", re.MULTILINE),
)
_QUOTES = {'"': '"', "'": "'", "“": "”", "”": "”", "‘": "’", "«": "»", "»": "«", "„": "“",
           "‹": "›", "「": "」", "『": "』", "`": "`", "＂": "＂"}  # fmt: skip
_CHATTER = re.compile(
    r"[(\[*\s]*(?:"
    r"(?:note|explanation|reason(?:ing)?|rationale|justification|comments?|summary)\b[^\n]{0,60}?:"
    rf"|(?:the )?(?:list of )?(?:key )?(?:changes?|edits?|modifications?|(?:\[?{_DONE}\]?|removed"
    r"|replaced|important) words?)(?: (?:i )?(?:made|are|is|were|include)\b[^:\n]{0,60})?:"
    r"|i(?:['’]ve| have)?(?: only| simply| just)? (?:changed|replaced|edited|modified|removed"
    r"|altered|swapped|added|redacted|masked|kept|made|rewrote)\b[^\n]{0,300}?"
    r"(?:[\"“‘']\w|\bthe (?:words?|phrases?|sentences?|text|review|paragraph|premise|passage"
    r"|sentiment|following|rest)\b|\bchanges\b|\b(?:one|two|three|some|few|several) words?\b"
    r"|\bedits\b|\[redacted\]|\bso that\b)"
    r"|let me know|(?:i )?hope (?:this|that|it) helps|please (?:note|let me)|feel free"
    rf"|(?:in )?(?:this|the) {_DONE} {_TEXT}\b|(?:in )?this (?:version|edit|revision|rewrite)\b"
    r"|(?:with|after|by making) (?:this|these) (?:changes?|edits?)|these (?:changes?|edits?)"
    r"|by (?:changing|replacing|removing|redacting)|(?:this|the) (?:edit|change|revision)\b"
    r"|this (?:changes|makes|shifts|flips|reverses) the (?:answer|sentiment|tone|label|overall)"
    r"|is there anything else|would you like me"
    r"|(?:reply|respond|answer) with (?:\w+ ){1,4}only\b"
    r"|(?:only )?the (?:words?|phrases?) [\"“‘'][^\n]{1,200} (?:was|were|is|are|has|have)\b)",
    re.IGNORECASE,
)
_LINE_REMARK = re.compile(
    r"[(\[*\s]*(?:note|explanation|changes made|hypothesis|question|options?|sentiment|label"
    r"|new (?:answer|label|sentiment))\s?:",
    re.IGNORECASE,
)
_REFUSED = (
    r"(?:(?:assist|comply|edit|rewrite|redact|modify|alter|fulfill?|complete|generate|produce"
    r"|perform|engage|participate|proceed|respond|answer|determine|identify|classify|access"
    r"|analy[sz]e|accommodate|provide|process|create|continue|replace|change)\b"
    r"|help (?:you|with|on)\b|(?:help|do (?:that|this|so|it))(?=[.,;!]|$))"
)
_UNABLE = (
    r"(?:can['’]?t|cannot|can not|could not|couldn['’]t|won['’]t|will not|must decline to"
    r"|(?:am|['’]m) (?:unable|not able|not programmed|not allowed|not comfortable)(?: to)?"
    r"|won['’]t be able to)"
)
_NOTHING_GIVEN = (
    r"(?:i (?:don['’]t|do not) (?:have (?:access|enough|the)|see (?:any|a)|understand (?:the|your))"
    r"|there (?:is|was) no (?:text|review|paragraph|passage|words?)|you (?:haven['’]t|have not|did"
    r" not|didn['’]t)|it seems (?:that |like )?(?:you|there|the)|as an ai\b)"
)
_REFUSAL = re.compile(
    r"(?:no[,.] )?(?:(?:(?:i['’]m|i am)(?: very| really| so)? sorry|sorry|i apologi[sz]e|apologies"
    r"|unfortunately|my apologies)(?P<sorry>))?[^\w\n]{0,4}(?:but )?(?:"
    rf"i ?{_UNABLE} (?:\w+ly )?{_REFUSED}|i must (?:respectfully )?decline"
    r"|(?:as|i am|i['’]m)(?: just| only)? an? (?:ai|artificial intelligence|large language model"
    r"|language model)(?: (?:language )?(?:model|assistant|system))?(?: \w+ by \w+)?"
    r"[, ]+(?:i|and)\b[^\n]{0,80}?\b(?:can['’]?t|cannot|unable|not able|do(?:es)? not|don['’]t)"
    r"|for (?:the|any) (?:confusion|misunderstanding|inconvenience)[^\n]{0,20}\bas an?"
    r"(?: [\w-]+){0,3} (?:ai|chatbot|assistant|model)\b"
    rf"|(?:(?<=[,.] )|(?<=but )){_NOTHING_GIVEN}|i (?:don['’]t|do not) have (?:access|the ability"
    r"|enough (?:information|context)))",
    re.IGNORECASE,
)


def drop_invisible(text: str) -> str:
    """Cut to the length that is read; drop control, zero-width and other invisible characters."""
    text = re.sub("\r\n?|[\v\f\x85\u2028\u2029]", "\n", text[:MAX_LENGTH])
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(char for char in text if not _is_invisible(char))


def drop_thinking(text: str) -> str:
    """Drop a reasoning block; one that never ends leaves no answer."""
    before, opened, _ = text.partition("<think>")
    if "</think>" in text:
        return text.rpartition("</think>")[2]
    return before if opened else text


def drop_fences(text: str) -> str:
    """Keep the inside of a single code block, or drop the fence lines of several."""
    blocks = _FENCED.findall(text) if text.count("```") == 2 else []
    return (blocks[0] if blocks else _FENCE_LINE.sub("", text).replace("```", "")).strip()


def drop_emphasis(text: str) -> str:
    """Drop markdown bold, italics, inline code, headings and block quotes; keep the words."""
    for pattern in _EMPHASIS:
        text = pattern.sub(r"\1", text)
    return text


def plain(text: str) -> str:
    """Reduce an answer to its visible text, without reasoning, fences, rules or emphasis."""
    visible = _TURN_END.sub("", drop_thinking(drop_invisible(text)))
    return _RULE.sub("", drop_emphasis(drop_fences(visible.strip()))).strip()


def drop_quotes(text: str) -> str:
    """Drop quotation marks that enclose the whole text, up to three layers of them."""
    text = text.strip()
    for _ in range(3):
        closing = _QUOTES.get(text[:1])
        if closing is None or len(text) < 2 or text[-1] != closing:
            break
        inside = text[1:-1]
        if _closes_early(inside, text[0], closing):
            break
        text = inside.strip()
    return text


def drop_introduction(text: str) -> str:
    """Drop "Sure, here is the edited text:", "Answer:" and the like from the start."""
    for _ in range(3):
        text = _SURE.sub("", text.lstrip(), count=1) if _SURE.match(text.lstrip()) else text
        edited = _ORIGINAL_THEN_EDITED.match(text)
        if edited:
            text = text[edited.end() :]
        line = text.lstrip()[:250].partition("\n")[0]
        end = _introduction_end(line)
        if end == 0:
            break
        text = text.lstrip()[end:]
    return text.strip()


def drop_chatter(text: str, original: str = "") -> str:
    """Drop the model's remarks about its own answer: paragraphs before it or after it.

    Args:
        text: the reply.
        original: the text that it rewrites; what stands there is no remark.
    """
    known = _pairs(original)

    def is_remark(paragraph: str, pattern: re.Pattern[str]) -> bool:
        return bool(pattern.match(paragraph)) and not _stands_in(paragraph, known)

    paragraphs = re.split(r"\n[ \t]*\n\s*", text)
    remarks = [is_remark(paragraph, _CHATTER) for paragraph in paragraphs]
    if False not in remarks:
        return text
    start = remarks.index(False)
    end = remarks.index(True, start) if True in remarks[start:] else len(paragraphs)
    lines = "\n\n".join(paragraphs[start:end]).split("\n")
    marks = (i for i, line in enumerate(lines) if i and is_remark(line, _LINE_REMARK))
    body = next(marks, len(lines))
    return "\n".join(lines[:body]).strip()


def is_refusal(text: str) -> bool:
    """Say whether a reply begins by declining the task; a review that is sorry does not."""
    return bool(_REFUSAL.match(drop_quotes(text[:1000])))


def _is_invisible(char: str) -> bool:
    if char in "\n\t":
        return False
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Cn"} or "\ufe00" <= char <= "\ufe0f"


def _pairs(text: str) -> set[tuple[str, str]]:
    return set(pairwise(word.key for word in split_words(text)))


def _stands_in(paragraph: str, known: set[tuple[str, str]]) -> bool:
    """Say whether half of the word pairs of a paragraph, or more, are known."""
    if not known:
        return False
    pairs = _pairs(paragraph)
    return bool(pairs) and 2 * len(pairs & known) >= len(pairs)


def _introduction_end(line: str) -> int:
    for colon in islice(re.finditer(r":|[.!]\s*$", line), 3):
        ends = colon.end() if _INTRODUCTION.fullmatch(line[: colon.start()]) else 0
        if ends and (colon[0] == ":" or line.lower().startswith(("here", "below"))):
            return ends
    return 0


def _closes_early(inside: str, opening: str, closing: str) -> bool:
    if opening != closing:
        depth = 1
        for char in inside:
            depth += (char == opening) - (char == closing)
            if depth == 0:
                return not _is_apostrophe(closing)
        return False
    for mark in re.finditer(re.escape(closing), inside):
        before, after = inside[: mark.start()][-1:], inside[mark.end() :][:1]
        if not (before.isalnum() and after.isalnum()):
            return bool(before) and not before.isspace() and before != "\\"
    return False


def _is_apostrophe(char: str) -> bool:
    return char in "'’"
