"""Nothing secret is recorded: keys, tokens and passwords are blanked wherever they may stand.

A secret is told by its name (`api_key=...`, `Authorization: ...`, `--token ...`), by its shape
(`hf_...`) or by its place in a URL. The rules are the data at the head of this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

BLANK = "***"
Kind = Literal["plain", "word", "name", "password", "header"]
"""What a name names: nothing secret; a secret, though of one word, as in any sentence; a secret;
one that may be a number; a header, whose value may be several words."""

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WORDS = frozenset("key token secret bearer sig signature".split())
_HEADERS = frozenset("authorization auth cookie".split())
_PASSWORD = re.compile(r".*(?:password|passwd|passphrase|pwd)")
_JOINED = re.compile(
    r"credential|.*api(?:key|token)|.*(?:auth|access|bearer|refresh|session|hf)token"
    r"|.*(?:secret|access|private|openai|anthropic)key"
)
_OPENS_NOTHING = frozenset(
    "bos eos eot eod pad unk sep cls mask begin start end stop think thinking special added image "
    "audio text prefix suffix newline separator delimiter word assistant system bad suppress "
    "max min num n count total per gen generated prompt completion input output "
    "reasoning first last next cache sort sorted primary foreign public group answer question doc "
    "document label metric column field row hash dict lookup".split()
)
"""Before `key` or `token`: that is none that opens anything."""

_HEAD = re.compile(r"(?<![\w-])-*+(\w[\w-]*+)(\\*[\"']?)[ \t]*+([=:])(?![=:]|(?<=:)//)[ \t]*+")
_OPTION = re.compile(r"(?<![\w-])--(\w[\w-]*+)(\\*[\"']?),?([ \t])[ \t]*+(?!-)")
"""What comes before a value: the name, a quote that ends it, and `=`, `:` or a space."""
_QUOTED = re.compile(r"(\\*[\"'])((?:\\.|[^\\\n])*?)(\1)")
_CUT_OFF = re.compile(r"(\\*[\"'])([^\n]+)()")
_LIST = re.compile(r"([\[(])([^\])]*)([\])]?)")
_BARE = re.compile(
    r"()((?:(?i:bearer|basic|token|digest)[ \t]+)?(?![{\[(])"
    r"(?:[^\s,&;'\"}\])\\]|\\(?![\"'nrt]))+)()"
)
_LINE = re.compile(r"()((?i:digest)[ \t][^\n\r]+|[^\n\r,'\"{}\\]*[^\s,'\"{}\\])()")
"""Values: what opens them, the secret, what closes them."""

_NUMBER = r"(?:(?i:true|false|none|null)|[-+]?\d{1,6}(?:\.\d*)?(?:[eE][-+]?\d{1,3})?)"
_HARMLESS = re.compile(rf"(?:{_NUMBER}(?:,\s*{_NUMBER})*)?")
_NOTHING = re.compile(r"(?i:true|false|none|null)?")
_OPAQUE = re.compile(r"(?=\S*[A-Za-z])(?=\S*\d)\S{6,}|\w+=.*|(?i:bearer)\s.*")

_SHAPES = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-(?=[A-Za-z_-]*\d)[\w-]{8,}"
    r"|hf_(?:[A-Za-z0-9]{20}|(?=[A-Za-z]*\d)[A-Za-z0-9]{10})[\w-]*"
    r"|gh[pousr]_[A-Za-z0-9]{10}[\w-]*|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|A[KS]IA[A-Z0-9]{12}[\w-]*|AIza[\w-]{30,}|xox[a-z]-[\w-]{8,}"
    r"|eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?)"
)
_BEARER = re.compile(
    r"\b(B(?:earer|EARER)[ \t]+(?=[\w.~+/=-]{3})|bearer[ \t]+(?=[\w.~+/=-]*\d)(?=[\w.~+/=-]{6}))"
    r"(?!-)[\w.~+/=-]+"
)
_PORT = r"\d{1,5}(?![^/?#\s'\",])"
_URL = re.compile(rf"://(?:[^\s/@:'\"]*:(?!//|{_PORT})(?:(?!://|,\w+=)[^\s'\"<>])*@|[^\s/@:'\"]+@)")


def without_secrets(told: Any) -> Any:
    """Blank what looks like a secret, in arguments by name and within strings.

    Twice is the same as once. Numbers, booleans and None are never secrets.

    >>> without_secrets({"model": "m", "api_key": "xyz", "args": "base_url=u,token=abc"})
    {'model': 'm', 'api_key': '***', 'args': 'base_url=u,token=***'}
    >>> without_secrets("https://me:pw@host/v1?api_key=x&model=m")
    'https://***@host/v1?api_key=***&model=m'
    >>> without_secrets(["--token", "abc", "--gen_kwargs", "max_gen_toks=5"])
    ['--token', '***', '--gen_kwargs', 'max_gen_toks=5']
    """
    if isinstance(told, Mapping):
        return {key: _named(_kind(str(key)), value) for key, value in told.items()}
    if isinstance(told, (list, tuple)):
        return list(_items(told))
    return _within(told) if isinstance(told, str) else told


@lru_cache(maxsize=4096)
def _kind(name: str) -> Kind:
    words = [word.lower() for word in _PARTS.findall(name)] or [""]
    last = words[-1].removesuffix("s")
    if words[:2] == ["x", "auth"] or last in _HEADERS:
        return "header"
    if _PASSWORD.fullmatch(last):
        return "password"
    if _JOINED.fullmatch(last):
        return "name"
    if last not in _WORDS:
        return "plain"
    if last in ("key", "token") and words[-2:-1] and words[-2] in _OPENS_NOTHING:
        return "plain"
    return "word" if len(words) == 1 else "name"


def _named(kind: Kind, value: Any) -> Any:
    """Blank the value of a name; of a mapping only if it holds nothing but strings."""
    if kind == "plain":
        return without_secrets(value)
    if isinstance(value, str):
        return _blank(kind, value)
    if isinstance(value, (list, tuple)):
        return [_named(kind, part) for part in value]
    if isinstance(value, Mapping) and all(isinstance(part, str) for part in value.values()):
        return {key: _blank(kind, part) for key, part in value.items()}
    return without_secrets(value)


def _items(told: Sequence[Any]) -> Iterator[Any]:
    """Go through a list, which may be a command line: an option and its value are two words."""
    kind: Kind = "plain"
    for item in told:
        if not isinstance(item, str):
            yield without_secrets(item)
            kind = "plain"
        elif item.startswith("-"):
            yield _within(item)
            kind = _kind(item)
        else:
            yield _named(kind, item)
            kind = "plain"


def _blank(kind: Kind, text: str) -> str:
    harmless = _NOTHING if kind == "password" else _HARMLESS
    return text if harmless.fullmatch(text) else BLANK


def _within(text: str) -> str:
    text = _by_name(text, _HEAD.finditer(text))
    text = _by_name(text, _OPTION.finditer(text))
    text = _BEARER.sub(rf"\1{BLANK}", _SHAPES.sub(BLANK, text))
    return _URL.sub(f"://{BLANK}@", text)


def _by_name(text: str, heads: Iterable[re.Match[str]]) -> str:
    parts, done = [], 0
    for head in heads:
        kind = _kind(head[1])
        if kind == "plain" or head.start() < done:
            continue
        value = _value(kind, head)
        if value:
            parts += [text[done : value.start()], value[1], _blank(kind, value[2]), value[3]]
            done = value.end()
    return "".join([*parts, text[done:]])


def _value(kind: Kind, head: re.Match[str]) -> re.Match[str] | None:
    """Find the value that belongs to a secret's name, if what follows is one."""
    _, quote, sign = head.groups()
    bare = _LINE if kind == "header" and sign == ":" else _BARE
    for pattern in (_QUOTED, _CUT_OFF, _LIST, bare):
        value = pattern.match(head.string, head.end())
        if value:
            sentence = kind == "word" and sign == ":" and not quote and not value[1]
            return None if sentence and not _OPAQUE.fullmatch(value[2]) else value
    return None
