"""The prompts of a task file: Jinja templates, checked when the task is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.checks.case import Prompt
from harness.errors import ConfigError, unknown

PROMPT_KEYS = {"prompt", "cue", "until", "max_tokens", "tokens_per_word"}
_TEMPLATES = ImmutableSandboxedEnvironment(  # a file of results has templates, too
    undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
)


def build_prompts(own: Mapping[str, Any], slots: Sequence[str]) -> dict[str, Prompt]:
    """Make the prompts of both stages from a task file's keys.

    Templates may use `text`, `mask`, `wanted` (explain only; empty for an implicit target), `view`
    (whose opinion is asked for), `noun`, `topic` (a template, too) and the domain's own slots.

    Raises:
        KeyError: a key is missing.
        ConfigError: a key that nothing reads, or a template that does not render.
    """
    if own["persona"] not in own["personas"]:
        raise ConfigError(unknown("persona", str(own["persona"]), own["personas"]))
    fixed = {
        "view": own["personas"][own["persona"]],
        "noun": str(own["noun"]),
        "mask": str(own["mask"]),
    }
    topic = template("topic", str(own["topic"]))
    told = {"predict": ["text", *slots], "explain": ["text", "wanted", *slots]}
    return {stage: build_prompt(stage, own[stage], told[stage], fixed, topic) for stage in told}


def build_prompt(
    stage: str,
    spec: Mapping[str, Any],
    slots: Sequence[str],
    fixed: Mapping[str, str] = MappingProxyType({}),
    topic: Template | None = None,
) -> Prompt:
    """Make a prompt from its entry in a task file.

    Args:
        stage: the entry's name, for messages.
        spec: the entry.
        slots: what is filled in for every question.
        fixed: what is the same for all of them.
        topic: what the question is about, a template over both.

    Raises:
        ConfigError: a key that nothing reads, or a template that does not render.
    """
    for key in spec:
        if key not in PROMPT_KEYS:
            raise ConfigError(unknown(f"key in {stage!r}", key, PROMPT_KEYS))
    if not isinstance(spec.get("until", []), list):
        raise ConfigError(f"{stage}: until must be a list of strings, got {spec['until']!r}")
    render = partial(_render, template(stage, str(spec["prompt"])), fixed, topic)
    try:
        render(**dict.fromkeys(slots, "x"))
        cue = template(stage, str(spec.get("cue", ""))).render(fixed)
    except TemplateError as err:
        known = [*slots, *fixed, *(["topic"] if topic else [])]
        raise ConfigError(f"{stage}: prompt: {err}; known: {', '.join(known)}") from err
    return Prompt(
        render,
        cue,
        tuple(spec.get("until", ())),
        spec.get("max_tokens", 64),
        spec.get("tokens_per_word", 0.0),
    )


def _render(prompt: Template, fixed: Mapping[str, str], topic: Template | None, **told: str) -> str:
    filled = {"topic": topic.render(fixed, **told)} if topic else {}
    return prompt.render(fixed, **filled, **told)


@lru_cache(maxsize=1024)
def template(place: str, source: str) -> Template:
    """Compile a template; what it names must be filled in.

    Raises:
        ConfigError: it does not parse; names the place.
    """
    try:
        return _TEMPLATES.from_string(source)
    except TemplateError as err:
        raise ConfigError(f"{place}: {err}") from err
