"""YAML that means what it looks like: what PyYAML would quietly take for something else is told.

PyYAML reads YAML 1.1: `no` is false, `5e-4` is text, `010` is 8, and the last of two equal keys
counts. Tags and aliases are refused: a recipe needs none.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from finetune.strict import Unclear
from harness.errors import ConfigError

_TAG = "!unclear"
_WORD = re.compile(r"yes|no|on|off", re.IGNORECASE)
_POWER = re.compile(r"([-+]?)([0-9][0-9_]*)?(\.[0-9_]*)?[eE]([-+]?)([0-9]+)")
_UNCLEAR = re.compile(
    rf"""(?: {_WORD.pattern}
    | [-+]?[0-9][0-9_]*[eE][-+]?[0-9]+                      # 5e-4: text, it lacks the point
    | [-+]?(?:[0-9][0-9_]*)?\.[0-9][0-9_]*[eE][0-9]+        # 5.0e4: text, it lacks the sign
    | [-+]?[0-9][0-9_]*\.[eE][0-9]+                         # 5.e4
    | [-+]\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?                # -.5: text
    | [-+]?0[0-9_]+ | [-+]?0[bx][0-9a-fA-F_]+               # 010 is 8
    | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?      # 1:30 is 90
    | [0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}(?:[Tt\s].*)?     # a date
    )\Z""",
    re.VERBOSE | re.IGNORECASE,
)
_RESOLVERS = {
    first: [(_TAG, _UNCLEAR), *rest]
    for first, rest in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(text: str, place: str) -> tuple[Any, list[str]]:
    """Read a YAML document.

    Returns:
        What it says, with `Unclear` text where readers may differ; and faults of repeated keys.

    Raises:
        ConfigError: it is not YAML, or has tags or aliases; names the line.
    """
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data(), loader.repeated
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        told = ", ".join(part for part in (err.context, err.problem) if part)
        raise ConfigError(f"{place}{line}: is not YAML as expected: {told}") from err
    except (yaml.YAMLError, ValueError) as err:
        raise ConfigError(
            f"{place}: is not YAML as expected: {' '.join(str(err).split())}"
        ) from err
    except RecursionError as err:
        raise ConfigError(f"{place}: is nested too deeply") from err


def dump(told: Any) -> str:
    """Write mappings, lists, text, numbers, booleans and None so that `load` reads the same."""
    return yaml.dump(told, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = _RESOLVERS

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[str] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        mark: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            raise yaml.composer.ComposerError(
                None, None, "aliases (*name) are not taken: write it out", mark
            )
        if getattr(event, "tag", None) not in (None, "!"):
            raise yaml.composer.ComposerError(None, None, f"tags ({event.tag}) are not taken", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in first:
                    self.repeated.append(
                        f"line {line}: key {key.value!r} is given twice "
                        f"(first in line {first[key.value]})"
                    )
                first.setdefault(key.value, line)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers = _RESOLVERS

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _construct_unclear(loader: _Loader, node: yaml.ScalarNode) -> Unclear:
    told = Unclear(node.value)
    told.says = _say(node.value)
    return told


_Loader.add_constructor(_TAG, _construct_unclear)


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Escape what PyYAML would write as a line break, and read as a blank."""
    style = '"' if re.search("[\x85\u2028\u2029]", text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _say(text: str) -> str:
    quoted = f'"{text}" in quotes if that is text'
    if _WORD.fullmatch(text):
        plain = "true" if text.lower() in ("yes", "on") else "false"
        return f"got {text}, which YAML reads as {plain}: write {plain}, or {quoted}"
    if power := _POWER.fullmatch(text):
        sign, whole, fraction, power_sign, digits = power.groups(default="")
        fraction = fraction if len(fraction) > 1 else ".0"
        number = f"{sign}{whole or 0}{fraction}e{power_sign or '+'}{digits}"
        value = float(text.replace("_", ""))
        if value.is_integer() and abs(value) < 10**9:
            number = str(int(value))
        return f"got {text}, which YAML reads as text: write {number}, or {quoted}"
    return f"got {text}, which YAML reads in its own way: write a plain decimal number, or {quoted}"
