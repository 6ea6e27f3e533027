"""Which question of our task files a prompt is, and what was filled into its template."""

from __future__ import annotations

import re
from functools import cache

from lm_eval.tasks._yaml_loader import load_yaml

from harness.data import tasks_path
from harness.errors import ModelError
from harness.generation_task import GenerationTask
from harness.planted.rules import Asked
from harness.tasks import AXES, FaithfulnessTask

_SLOT = "SLOT{}TOLS"


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


@cache
def _patterns() -> list[tuple[str, tuple[str, str, str], re.Pattern[str]]]:
    """Make a pattern of every prompt of the sample tasks, whose prompts are those of all tasks.

    Each comes after the words that the prompt begins with, which are quicker to look for; the most
    particular first, because an end of one prompt may look like another.
    """
    patterns = {}
    for path in sorted(tasks_path().rglob("*.yaml")):
        if not path.name.startswith(("sample_", "retention_")):
            continue
        config = load_yaml(path)
        if config["class"] is GenerationTask:
            prompt = GenerationTask(config).prompt
            shown = prompt.render(question=_SLOT.format("text")).strip()
            opening = shown.partition(_SLOT.partition("{")[0])[0]
            patterns[shown] = (opening, ("ask", "", ""), _pattern(shown, ["text"], prompt.cue))
        if config["class"] is not FaithfulnessTask:
            continue
        for task in FaithfulnessTask(config).variants(frozenset(AXES)):
            own, slots = task.file.own, ["text", *task.domain.SLOTS]
            wanted = ["wanted"] if own["target"] == "explicit" else []
            for kind, stage, names in (
                ("predict", "predict", slots),
                (own["check"], "explain", slots + wanted),
            ):
                told = {"wanted": "", **{name: _SLOT.format(name) for name in names}}
                shown = task.prompts[stage].render(**told).strip()
                pattern = _pattern(shown, names, task.prompts[stage].cue)
                opening = shown.partition(_SLOT.partition("{")[0])[0]
                patterns[shown] = (opening, (kind, own["domain"], task.mask), pattern)
    return sorted(patterns.values(), key=lambda entry: -len(entry[0]))


def _pattern(shown: str, names: list[str], cue: str) -> re.Pattern[str]:
    source = re.escape(shown)
    for name in names:
        slot = re.escape(_SLOT.format(name))
        source = source.replace(slot, f"(?P<{name}>.*?)", 1).replace(slot, f"(?P={name})")
    ending = rf"(?:\n{re.escape(cue)})?" if cue else ""
    return re.compile(rf"{source}{ending}\Z", re.DOTALL)
