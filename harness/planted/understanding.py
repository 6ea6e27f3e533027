"""Which question of our task files a prompt is, and what was filled into its template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from lm_eval.tasks._yaml_loader import load_yaml

from harness.answer_task import AnswerTask, ExtractiveTask, ReasoningTask
from harness.checks.case import Prompt
from harness.checks.inquiry import SLOTS
from harness.consistency_task import ConsistencyTask
from harness.data import tasks_path
from harness.errors import ModelError
from harness.generation_task import GenerationTask
from harness.planted.rules import Asked
from harness.tasks import AXES, FaithfulnessTask

_SLOT = "SLOT{}TOLS"
ANSWERED: Mapping[type[AnswerTask], str] = {ExtractiveTask: "extract", ReasoningTask: "choose"}
UNTOLD = {"asked": "", "explanation": ""}


def understand(prompt: str) -> Asked:
    """Find the question that a prompt is, in any variant of any domain.

    Raises:
        ModelError: it is none of them.
    """
    for opening, (kind, domain, mask), pattern in _patterns():
        found = pattern.search(prompt) if opening in prompt else None
        if found:
            told = found.groupdict()
            return Asked(kind, domain, mask, told.pop("wanted", None) or "", told)
    raise ModelError(f"a planted model understands only our own prompts, not: {prompt[:200]!r}")


Entry = tuple[str, tuple[str, str, str], re.Pattern[str]]


@cache
def _patterns() -> list[Entry]:
    """Make a pattern of every prompt of the sample tasks, whose prompts are those of all tasks.

    Each comes after the words that the prompt begins with, which are quicker to look for; the most
    particular first, because an end of one prompt may look like another.
    """
    patterns: dict[str, Entry] = {}
    for path in sorted(tasks_path().rglob("*.yaml")):
        if not path.name.startswith(("sample_", "retention_")):
            continue
        config = load_yaml(path)
        if config["class"] is GenerationTask:
            patterns |= _entry(GenerationTask(config).prompt, ["question"], ("ask", "", ""))
        if config["class"] in ANSWERED:
            kind = config["class"]
            patterns |= _entry(kind(config).prompt, list(kind.SLOTS), (ANSWERED[kind], "", ""))
        if config["class"] is ConsistencyTask:
            for stage, names in SLOTS.items():
                prompt = ConsistencyTask(config).prompts[stage]
                patterns |= _entry(prompt, list(names), (stage, "", ""))
                if stage == "guess":
                    patterns |= _entry(prompt, ["question", "answers"], (stage, "", ""), UNTOLD)
        if config["class"] is FaithfulnessTask:
            for task in FaithfulnessTask(config).variants(frozenset(AXES)):
                own, slots = task.file.own, ["text", *task.domain.SLOTS]
                wanted = ["wanted"] if own["target"] == "explicit" else []
                where, given = (own["domain"], task.mask), {"wanted": ""}
                explain = slots + wanted
                patterns |= _entry(task.prompts["predict"], slots, ("predict", *where))
                patterns |= _entry(task.prompts["explain"], explain, (own["check"], *where), given)
    return [patterns[shown] for shown in sorted(patterns, key=len, reverse=True)]


def _entry(
    prompt: Prompt,
    names: list[str],
    meaning: tuple[str, str, str],
    given: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Entry]:
    """Give the prompt with empty slots, and how it is understood: its opening, and a pattern."""
    shown = prompt.render(**{**given, **{name: _SLOT.format(name) for name in names}}).strip()
    opening = shown.partition(_SLOT.partition("{")[0])[0]
    return {shown: (opening, meaning, _pattern(shown, names, prompt.cue))}


def _pattern(shown: str, names: list[str], cue: str) -> re.Pattern[str]:
    source = re.escape(shown)
    for name in names:
        slot = re.escape(_SLOT.format(name))
        source = source.replace(slot, f"(?P<{name}>.*?)", 1).replace(slot, f"(?P={name})")
    ending = rf"(?:\n{re.escape(cue)})?" if cue else ""
    return re.compile(rf"{source}{ending}\Z", re.DOTALL)
