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


_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def _decoder_of(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    if kind not in _decoders:
        _decoders[kind] = msgspec.json.Decoder(kind)
    return _decoders[kind]


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
