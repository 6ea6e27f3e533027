"""Changes to a file, by a seed: of its bytes, its lines, its structure, and of what it is."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

CANARY = "CANARY"
"""Stands for a file that nothing may make."""
DEEP = 100_000
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**63, 10**400, -0.0, 1e308, float("nan"), float("inf"),
    -float("inf"), "", "x", "x" * 100_000, "\ud800", "a\0b", "../../CANARY", "/CANARY", "..", "con",
    "=1+1", "[bold]x[/bold]", "\x1b[2J", "{{ 7 * 7 }}", "!!python/name:os.system", "nan", "0", [],
    {}, [[]], [None], {"": None}, {"a": {"b": {"c": []}}},
)  # fmt: skip
YAML_VALUES = (
    "!!python/object/apply:os.system ['touch CANARY']",
    "!!python/object/new:pathlib.Path [CANARY]",
    "!!python/name:os.system", "!!python/module:os", "!!binary abc", "!!timestamp 2020-13-45",
    "!!set {a, b}", "!!omap [a: 1]", "!!int x", "!!float x", "!!null x", "!nothing x",
    "!function os.system", "!function ../outside.f", "!function nowhere.f", "!function harness",
    "!function harness.tasks.Nothing", "!function x", "!include /CANARY", "*nowhere", "&a [*a]",
    "{a: 1, a: 2}", "[" * 2000, "{" * 500, "'", '"', "|", ">", "-", "?", ":", "%", "@", "`", "~",
    "yes", "0o17", "1e400", ".nan", ".inf", "-.inf", "1_0", "12:30:45", "2020-01-01", "\t", "- - -",
    "<<", "null", "''", "[]", "{}", "-1", "999999999999999999999", "../../CANARY", "/CANARY",
)  # fmt: skip
BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
)


class Pairs(list[tuple[str, Any]]):
    """A JSON object that may have a key twice."""


class Mutation(NamedTuple):
    """A change.

    Attributes:
        name: what was done, for people.
        content: of the file from now on; None: `place` says what is there instead of a file.
    """

    name: str
    content: bytes | None
    place: str = "file"


def mutate(content: bytes, name: str, rng: random.Random) -> Mutation:
    """Change what a file holds; its name's ending says what kinds of change make sense."""
    ways: list[Callable[[bytes, random.Random], Mutation]] = [_bytes, _bytes, _place]
    ending = Path(name).suffix
    if ending in (".jsonl", ".csv", ".yaml", ".json"):
        ways += [_text, _text, _lines]
    if ending in (".jsonl", ".json"):
        ways += [_structure] * 9
    if ending == ".yaml":
        ways += [_yaml] * 9
    if ending == ".safetensors":
        ways += [_header] * 9
    made = Mutation("", content)
    for _ in range(9):  # some changes change nothing here
        made = rng.choice(ways)(content, rng)
        if made.content != content:
            break
    return made


def put(mutation: Mutation, file: Path) -> None:
    """Put a changed file into the place of another."""
    file.unlink()
    if mutation.content is not None:
        file.write_bytes(mutation.content)
    elif mutation.place == "directory":
        file.mkdir()
    elif mutation.place == "dangling link":
        file.symlink_to(file.with_name("nowhere"))
    elif mutation.place == "link to itself":
        file.symlink_to(file)


def _place(content: bytes, rng: random.Random) -> Mutation:
    place = rng.choice(["directory", "dangling link", "link to itself", "nothing"])
    return Mutation(f"{place} in its place", None, place)


def _bytes(content: bytes, rng: random.Random) -> Mutation:
    size = max(1, len(content))
    at, many = rng.randrange(size), rng.randint(1, min(64, size))
    chunk = content[at : at + many]
    changed = {
        "cut off": content[:at],
        "beginning cut off": content[at:],
        "emptied": b"",
        "bits flipped": _flipped(content, rng),
        "bytes removed": content[:at] + content[at + many :],
        "bytes doubled": content[:at] + chunk + content[at:],
        "zeros inside": content[:at] + bytes(many) + content[at + many :],
        "zeros at the end": content + bytes(many),
        "noise inside": content[:at] + rng.randbytes(many) + content[at:],
        "noise at the end": content + rng.randbytes(many),
        "noise throughout": rng.randbytes(min(size, 4096)),
        "halves swapped": content[at:] + content[:at],
        "another file": rng.choice([b"\x80\x05.", b"PK\x03\x04", b"\x7fELF", b"GGUF", b"SQLite"]),
    }
    name = rng.choice(list(changed))
    return Mutation(name, changed[name])


def _flipped(content: bytes, rng: random.Random) -> bytes:
    told = bytearray(content)
    for _ in range(rng.randint(1, 8) if told else 0):
        told[rng.randrange(len(told))] ^= 1 << rng.randrange(8)
    return bytes(told)


def _text(content: bytes, rng: random.Random) -> Mutation:
    text = content.decode("utf-8", "surrogateescape")
    at = rng.randrange(max(1, len(text)))
    opening = rng.choice('[{"')
    changed = {
        "byte order mark": b"\xef\xbb\xbf" + content,
        "UTF-16": text.encode("utf-16", "surrogatepass"),
        "UTF-32": text.encode("utf-32", "surrogatepass"),
        "Latin-1": text.replace("e", "é").encode("latin-1", "replace"),
        "CRLF": content.replace(b"\n", b"\r\n"),
        "CR": content.replace(b"\n", b"\r"),
        "half a surrogate pair": text[:at].encode() + b"\xed\xa0\x80" + text[at:].encode(),
        "a NUL": content[:at] + b"\0" + content[at:],
        "a very long line": content + b"x" * 1_000_000,
        "spaces alone": b" \n" * 9,
        "nested deeply": (opening * DEEP).encode(),
        "nested deeply inside": content[:at] + b"[" * DEEP + b"]" * DEEP + content[at:],
        "control characters": content[:at] + b"\x1b[2J\x07\x08" + content[at:],
        "U+2028": text[:at].encode("utf-8", "surrogateescape")
        + "\u2028\x85".encode()
        + text[at:].encode("utf-8", "surrogateescape"),
    }
    name = rng.choice(list(changed))
    return Mutation(name, changed[name])


def _lines(content: bytes, rng: random.Random) -> Mutation:
    lines = content.splitlines(keepends=True) or [b""]
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    swapped = list(lines)
    swapped[one], swapped[other] = lines[other], lines[one]
    shuffled = rng.sample(lines, len(lines))
    changed = {
        "a line removed": lines[:one] + lines[one + 1 :],
        "a line doubled": lines[: one + 1] + lines[one:],
        "lines swapped": swapped,
        "lines shuffled": shuffled,
        "a line cut off": [*lines[:one], lines[one][: len(lines[one]) // 2], *lines[one + 1 :]],
        "an empty line": [*lines[:one], b"\n", *lines[one:]],
        "lines joined": [*lines[:one], lines[one].rstrip(), *lines[one + 1 :]],
        "all twice": lines * 2,
    }
    name = rng.choice(list(changed))
    return Mutation(name, b"".join(changed[name]))


def _structure(content: bytes, rng: random.Random) -> Mutation:
    """Change a value, a key, or the shape of the JSON of a file, or of one of its lines."""
    lines = content.split(b"\n")
    number = rng.choice([place for place, line in enumerate(lines) if line.strip()] or [0])
    whole = not _is_json(lines[number])
    try:
        told = json.loads(content if whole else lines[number])
    except ValueError:
        return Mutation("", content)
    name, changed = change(told, rng)
    text = dump(changed).encode("utf-8", "surrogatepass")
    if whole:
        return Mutation(name, text)
    return Mutation(
        f"line {number + 1}: {name}", b"\n".join([*lines[:number], text, *lines[number + 1 :]])
    )


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def change(told: Any, rng: random.Random) -> tuple[str, Any]:
    """Change one place in a JSON value; say what was done."""
    path = rng.choice(list(_paths(told)))
    value = _at(told, path)
    here = "/".join(map(str, path)) or "all of it"
    if isinstance(value, dict) and value and rng.random() < 0.7:
        key = rng.choice(list(value))
        how = rng.choice(["lacks", "misspelt", "new", "twice"])
        return f"{here}: key {key!r} {how}", _replaced(told, path, _rekeyed(value, key, how))
    if isinstance(value, list) and value and rng.random() < 0.5:
        at = rng.randrange(len(value))
        shorter = rng.choice(
            [value[:at] + value[at + 1 :], value[:at] + value[at - 1 :], value * 2]
        )
        return f"{here}: other length", _replaced(told, path, shorter)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and rng.random() < 0.5:
        near = rng.choice([value + 1, value - 1, value * 2, -value, value / 3, str(value)])
        return f"{here}: {near!r}", _replaced(told, path, near)
    hostile = rng.choice(HOSTILE)
    return f"{here}: {hostile!r:.40}", _replaced(told, path, hostile)


def _rekeyed(value: Mapping[str, Any], key: str, how: str) -> Any:
    others = [(name, part) for name, part in value.items() if name != key]
    if how == "lacks":
        return Pairs(others)
    if how == "misspelt":
        return Pairs([*others, (f"{key[:1]}{key}", value[key])])
    if how == "new":
        return Pairs([*value.items(), (f"{key}_x", value[key])])
    return Pairs([*value.items(), (key, "x")])


def _paths(told: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    parts = told.items() if isinstance(told, dict) else enumerate(told) if _is_list(told) else ()
    for key, part in parts:
        yield from _paths(part, (*path, key))


def _is_list(told: Any) -> bool:
    return isinstance(told, list)


def _at(told: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        told = told[key]
    return told


def _replaced(told: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(told, dict):
        return {key: _replaced(v, rest, value) if key == first else v for key, v in told.items()}
    return [_replaced(v, rest, value) if at == first else v for at, v in enumerate(told)]


def dump(told: Any) -> str:
    """Write JSON as `json.dumps` does, and keys twice."""
    if isinstance(told, (dict, Pairs)):
        pairs = told.items() if isinstance(told, dict) else told
        return "{" + ", ".join(f"{json.dumps(key)}: {dump(part)}" for key, part in pairs) + "}"
    if isinstance(told, list):
        return f"[{', '.join(map(dump, told))}]"
    return json.dumps(told)


def _yaml(content: bytes, rng: random.Random) -> Mutation:
    text = content.decode("utf-8", "replace")
    lines = text.splitlines()
    keyed = [at for at, line in enumerate(lines) if re.match(r"\s*(- )?[\w-]+:", line)]
    if not keyed:
        return Mutation("", content)
    at = rng.choice(keyed)
    head, _, value = lines[at].partition(":")
    indent = re.match(r"\s*", head)[0]  # type: ignore[index]
    hostile = rng.choice(YAML_VALUES)
    changed = {
        f"line {at + 1}: {hostile[:40]}": [f"{head}: {hostile}"],
        f"line {at + 1}: no value": [f"{head}:"],
        f"line {at + 1}: misspelt": [f"{head}{head[-1:]}:{value}"],
        f"line {at + 1}: twice": [lines[at], lines[at]],
        f"line {at + 1}: indented": [f" {lines[at]}"],
        f"line {at + 1}: tab": [f"\t{lines[at]}"],
        f"line {at + 1}: unknown key before it": [f"{indent}strange: 1", lines[at]],
        f"line {at + 1}: key is a list": [f"{indent}[a, b]: 1", lines[at]],
        f"line {at + 1}: key is a number": [f"{indent}1: 1", lines[at]],
        f"line {at + 1}: merged": [f"{indent}<<: {hostile}", lines[at]],
        f"line {at + 1}: second document": ["---", lines[at]],
        f"line {at + 1}: bomb": [lines[at], *BOMB.splitlines()],
        f"line {at + 1}: is a bomb": [f"{head}: *a9"],
    }
    weights = [12, *[1] * (len(changed) - 1)]
    name = rng.choices(list(changed), weights)[0]
    bomb = BOMB.splitlines() if name.endswith("is a bomb") else []
    told = "\n".join([*bomb, *lines[:at], *changed[name], *lines[at + 1 :], ""])
    return Mutation(name, told.encode())


def _header(content: bytes, rng: random.Random) -> Mutation:
    """Change the header of a file of safetensors: its length, or a value of it."""
    length = int.from_bytes(content[:8], "little")
    body = content[8 + length :]
    if rng.random() < 0.3:
        told = rng.choice([0, 1, length - 1, length + 1, len(content), 2**31, 2**63, 2**64 - 1])
        return Mutation(f"header of {told} bytes", told.to_bytes(8, "little") + content[8:])
    name, changed = change(json.loads(content[8 : 8 + length]), rng)
    text = dump(changed).encode("utf-8", "surrogatepass")
    return Mutation(f"header: {name}", len(text).to_bytes(8, "little") + text + body)
