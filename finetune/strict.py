"""Plain values (mappings, lists, numbers, text) into dataclasses, strictly by their annotations.

Nothing is converted but whole numbers where a number is wanted, and lists to tuples. All faults
are kept, each with its place, so that they can be told at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from harness.errors import unknown

Place = tuple[str | int, ...]
"""Keys and indices from the outermost mapping on."""


class Fault(NamedTuple):
    """What is wrong, and where."""

    place: Place
    says: str


@dataclass(frozen=True)
class Rule:
    """A limit, as in `Annotated[int, Rule(lambda n: n > 0, "a whole number above 0")]`.

    Attributes:
        holds: of a value that has the right type.
        allowed: all that is allowed, in words.
    """

    holds: Callable[[Any], bool]
    allowed: str


class Unclear(str):
    """Text of which a reader and YAML may think differently; refused wherever it stands."""

    says: str


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=_Dataclass)


class Reader:
    """Reads values and keeps the faults.

    Attributes:
        faults: in the order of reading.
        built: the dataclasses that have no fault, by place.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.built: dict[Place, Any] = {}

    def fault(self, place: Place, says: str) -> None:
        """Keep a fault."""
        self.faults.append(Fault(place, says))

    def fields(
        self, cls: type[T], told: Any, place: Place, instead: Mapping[str, Any] | None = None
    ) -> T | None:
        """Read a dataclass.

        Args:
            cls: the dataclass.
            told: what was written for it.
            place: where.
            instead: annotations that count instead of its own.

        Returns:
            None: it has faults.
        """
        if not isinstance(told, Mapping):
            self._wrong(cls, told, place)
            return None
        before = len(self.faults)
        hints = {**get_type_hints(cls, include_extras=True), **(instead or {})}
        known = {each.name: each for each in fields(cls)}
        for key in told:
            if key not in known:
                self.fault((*place, str(key)), unknown("key", str(key), known))
        values = {}
        for name, each in known.items():
            if name in told:
                values[name] = self.value(hints[name], told[name], (*place, name))
            elif each.default is MISSING and each.default_factory is MISSING:
                self.fault((*place, name), f"is missing: must be {describe(hints[name])}")
        if len(self.faults) > before:
            return None
        made = self.built[place] = cls(**values)
        return made

    def value(self, hint: Any, told: Any, place: Place) -> Any:
        """Read a value by an annotation; what comes back after a fault means nothing."""
        origin = get_origin(hint)
        if isinstance(told, Unclear):
            self.fault(place, told.says)
        elif origin is Annotated:
            return self._limited(hint, told, place)
        elif origin in (Union, UnionType):
            return self._union(hint, told, place)
        elif _shape(hint) == "any":
            return self._plain(told, place)
        elif _shape(hint) != _shape_of(told):
            self._wrong(hint, told, place)
        elif _shape(hint) == "list":
            item = get_args(hint)[0]
            return tuple(self.value(item, part, (*place, i)) for i, part in enumerate(told))
        elif isinstance(hint, type) and is_dataclass(hint):
            return self.fields(hint, told, place)
        elif _shape(hint) == "mapping":
            return self._plain(told, place)
        else:
            return self._scalar(hint, told, place)
        return None

    def _limited(self, hint: Any, told: Any, place: Place) -> Any:
        """Read by `Annotated`; the limit is told of a value of the wrong type, too."""
        base, *rules = get_args(hint)
        before = len(self.faults)
        value = self.value(base, told, place)
        if len(self.faults) == before:
            for rule in rules:
                if not rule.holds(value):
                    self._wrong(hint, told, place)
        elif self.faults[before].place == place and not isinstance(told, Unclear):
            del self.faults[before:]
            self._wrong(hint, told, place)
        return value

    def _union(self, hint: Any, told: Any, place: Place) -> Any:
        members = get_args(hint)
        if told is None and NoneType in members:
            return None
        fitting = [each for each in members if _shape(each) == _shape_of(told)]
        if len(fitting) == 1 and (_shape_of(told) != "scalar" or _closed_set(fitting[0])):
            return self.value(fitting[0], told, place)
        for member in fitting:
            attempt = Reader()
            value = attempt.value(member, told, place)
            if not attempt.faults:
                return value
        return self._wrong(hint, told, place)

    def _scalar(self, hint: Any, told: Any, place: Place) -> Any:
        allowed = _closed_set(hint)
        if allowed is not None:
            if not any(told == each and type(told) is type(each) for each in allowed):
                if isinstance(told, str) and all(isinstance(each, str) for each in allowed):
                    self.fault(place, unknown("value", told, allowed))
                else:
                    self._wrong(hint, told, place)
        elif hint is float and type(told) in (int, float):
            with suppress(OverflowError):  # a whole number beyond all floats
                if math.isfinite(told):
                    return float(told)
            self._wrong(hint, told, place)
        elif type(told) is not hint:
            self._wrong(hint, told, place)
        return told

    def _plain(self, told: Any, place: Place) -> Any:
        """Take what JSON could hold, too; nothing else could be stored with a result."""
        if isinstance(told, Unclear):
            self.fault(place, told.says)
        elif isinstance(told, Mapping):
            for key in told:
                if isinstance(key, Unclear):
                    self.fault((*place, str(key)), key.says)
                elif not isinstance(key, str):
                    self.fault((*place, str(key)), f"key must be text, got {key!r}: quote it")
            return {key: self._plain(part, (*place, str(key))) for key, part in told.items()}
        elif isinstance(told, list):
            return [self._plain(part, (*place, i)) for i, part in enumerate(told)]
        elif isinstance(told, float) and not math.isfinite(told):
            self.fault(place, f"must be finite, got {told}")
        elif not isinstance(told, str | int | float | None):
            self.fault(place, f"must be text, a number, a list or a mapping, got {told!r}")
        return told

    def _wrong(self, hint: Any, told: Any, place: Place) -> None:
        self.fault(place, f"must be {describe(hint)}, got {_clipped(told)}{_way_out(hint, told)}")


def describe(hint: Any) -> str:
    """Say in words what an annotation allows.

    >>> describe(int | Literal["auto"] | None)
    "a whole number or 'auto' or null"
    """
    if get_origin(hint) is Annotated:
        return str(get_args(hint)[1].allowed)
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(describe(member) for member in get_args(hint))
    allowed = _closed_set(hint)
    if allowed is not None:
        return " or ".join(_written(each) for each in allowed)
    if _shape(hint) == "list":
        return f"a list of {describe(get_args(hint)[0])}"
    if _shape(hint) == "mapping":
        return "a mapping (key: value)"
    return _WORDS.get(hint, "anything")


_WORDS = {
    int: "a whole number",
    float: "a finite number",
    str: "text",
    bool: "true or false",
    NoneType: "null",
}


def show(place: Place) -> str:
    """Write a place down.

    >>> show(("score", "tasks", 1))
    'score.tasks[1]'
    """
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")


def _shape(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        return _shape(get_args(hint)[0])
    if hint is Any:
        return "any"
    if hint is NoneType:
        return "null"
    kind = get_origin(hint) or hint
    if is_dataclass(kind) or kind in (dict, Mapping):
        return "mapping"
    return "list" if kind in (list, tuple, Sequence) else "scalar"


def _shape_of(told: Any) -> str:
    if told is None:
        return "null"
    if isinstance(told, Mapping):
        return "mapping"
    return "list" if isinstance(told, list) else "scalar"


def _closed_set(hint: Any) -> tuple[Any, ...] | None:
    if get_origin(hint) is Literal:
        return get_args(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return tuple(each.value for each in hint)
    return None


def _written(told: Any) -> str:
    """Write a value as YAML would."""
    return str(told).lower() if isinstance(told, bool) else "null" if told is None else repr(told)


def _clipped(told: Any) -> str:
    text = _written(told)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _way_out(hint: Any, told: Any) -> str:
    """Offer what was probably meant."""
    if _shape_of(told) != "scalar":
        return ""
    if _shape(hint) == "list":
        return f": write [{told}]"
    allowed = set(_members(hint))
    if isinstance(told, str):
        return ": take the quotes away" if allowed & {int, float} and _is_number(told) else ""
    return ": put it in quotes" if str in allowed else ""


def _members(hint: Any) -> Iterator[Any]:
    if get_origin(hint) is Annotated:
        yield from _members(get_args(hint)[0])
    elif get_origin(hint) in (Union, UnionType):
        for member in get_args(hint):
            yield from _members(member)
    else:
        yield hint


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        return math.isfinite(float(text))
    return False
