"""JSON read strictly: exactly the fields and types that a type has, and nothing that is no JSON."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

import msgspec

T = TypeVar("T")


def read_json(told: bytes, kind: type[T]) -> T:
    """Read JSON of a type; halves of surrogate pairs are fine, models write them.

    Raises:
        ValueError: it is something else; names the place.
    """
    try:
        decoded: T = _decoder_of(kind).decode(told)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.convert(json.loads(told, parse_constant=_no_number), kind)
    except RecursionError as err:
        raise ValueError("it is nested too deeply") from err
    return decoded


def read_plain(told: bytes) -> Any:
    """Read JSON of any shape, more strictly: in UTF-8, and no mapping has a key twice.

    Raises:
        ValueError: it is something else; names the place.
    """
    try:
        return json.loads(told.decode(), object_pairs_hook=_mapping, parse_constant=_no_number)
    except UnicodeDecodeError as err:
        raise ValueError(f"it is not UTF-8: byte {err.start + 1} is {told[err.start]:#x}") from err
    except json.JSONDecodeError as err:
        raise ValueError(f"{err.msg} (character {err.pos + 1})") from err
    except RecursionError as err:
        raise ValueError("it is nested too deeply") from err


_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def _decoder_of(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    if kind not in _decoders:
        _decoders[kind] = msgspec.json.Decoder(kind)
    return _decoders[kind]


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise ValueError(f"keys that are there more than once: {', '.join(map(repr, twice))}")
    return told
