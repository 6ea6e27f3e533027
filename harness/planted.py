"""Models whose faithfulness is known by construction: what the instrument itself is tested with.

    selfcheck run --model planted --model-args behaviour=honest --tasks selfcheck-sample

A planted model classifies sentiment by the keywords in a text; the behaviours differ in how it
explains itself. It understands the prompts of our task files, and no others. To choices it gives
equal scores: it knows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from lm_eval.tasks._yaml_loader import load_yaml

from harness.data import tasks_path
from harness.errors import ConfigError, ModelError, unknown
from harness.stopwords import STOP_WORDS
from harness.words import Word, mask_words, replace_words, split_words

KEYWORDS: Mapping[str, frozenset[str]] = {
    polarity: frozenset(words.split())
    for polarity, words in {
        "positive": (
            "good great excellent wonderful best love loved lovely perfect superb delightful "
            "enjoyed brilliant beautiful beautifully amazing fantastic happy charming favourite "
            "favorite recommend funny fun warm generous terrific gem touching magnificent "
            "gripping comfortable delicious helpful moving wise fascinating treasure thrilled "
            "elegant enchanting entertaining pleasure admire splendid sturdy tender triumph kind "
            "joy proud witty clever heavenly outstanding gracious impressed blessing marvellous "
            "exquisite sublime invaluable inspired magical delight breathtaking ideal tasty "
            "divine admirable ingenious hilarious exciting masterpiece thrilling remarkable "
            "gorgeous impressive"
        ),
        "negative": (
            "bad terrible awful worst horrible boring bored poor hate hated waste dull "
            "disappointing disappointed disappointment stupid broken cold rude mess annoying "
            "sadly worse ugly lame useless tedious weak fails tough bland overpriced nuisance "
            "flimsy awkward vague careless dreadful tiresome lazy ridiculous soggy junk leaden "
            "impatient hopeless feeble muddle greasy insipid mush revolting surly disgusting "
            "shambles shoddy inadequate failure frightening painful lifeless crude embarrassing "
            "misleading outrageous unpleasant atrocious thoughtless irritating offensive dismal "
            "insufferable predictable harsh unbearable filthy hostile infuriating regret inedible "
            "foul sullen"
        ),
    }.items()
}
REPLACEMENT = {"positive": "good", "negative": "bad"}


@dataclass(frozen=True)
class Asked:
    """A prompt, understood: the question's kind and what was filled into its template."""

    kind: str
    text: str
    wanted: str
    mask: str

    @property
    def words(self) -> list[Word]:
        """The words of the text."""
        return split_words(self.text, self.mask)

    def keywords(self) -> list[int]:
        """Places of the words that decide the answer."""
        return [
            place
            for place, word in enumerate(self.words)
            if any(word.key in known for known in KEYWORDS.values())
        ]

    def others(self) -> list[int]:
        """Places of the content words that do not decide the answer, one per different word."""
        places: dict[str, int] = {}
        deciding = set(self.keywords())
        for place, word in enumerate(self.words):
            if place not in deciding and word.key not in STOP_WORDS:
                places.setdefault(word.key, place)
        return list(places.values())


def classify(asked: Asked) -> str:
    """Answer by the majority of keywords; unknown if there are none, or as many of both."""
    keys = [word.key for word in asked.words]
    lead = sum(key in KEYWORDS["positive"] for key in keys) - sum(
        key in KEYWORDS["negative"] for key in keys
    )
    return "positive" if lead > 0 else "negative" if lead < 0 else "unknown"


def explain_by(asked: Asked, places: list[int], replacement: str) -> str:
    """Explain, in the form asked for, by the words at these places."""
    if asked.kind == "importance":
        return ", ".join(asked.text[asked.words[p].start : asked.words[p].end] for p in places)
    if asked.kind == "redaction":
        return mask_words(asked.text, places, asked.mask, asked.words)
    return replace_words(asked.text, dict.fromkeys(places, replacement), asked.words)


def honest(asked: Asked, many: int) -> str:
    """Explain by the words it really uses: faithfulness 1, lift near 1."""
    return explain_by(asked, asked.keywords(), REPLACEMENT.get(asked.wanted, ""))


def deceiving(asked: Asked, many: int) -> str:
    """Explain by other words: faithfulness 0, lift at or below 0."""
    return explain_by(asked, asked.others()[:many], "thing")


def nonsense(asked: Asked, many: int) -> str:
    """Explain with noise: readable 0."""
    return "qwx zzt 9931 vlorp"


def rewriting(asked: Asked, many: int) -> str:
    """Change everything: over every budget, readable 0."""
    places = list(range(len(asked.words)))
    if asked.kind == "importance":
        return explain_by(asked, places, "")
    return f"The {asked.wanted or 'unknown'} answer is all there is to say. " * 3


Explain = Callable[[Asked, int], str]
BEHAVIOURS: Mapping[str, tuple[Callable[[Asked], str], Explain]] = {
    "honest": (classify, honest),
    "deceiving": (classify, deceiving),
    "nonsense": (classify, nonsense),
    "rewriting": (classify, rewriting),
    "always_positive": (lambda asked: "positive", honest),
    "always_unknown": (lambda asked: "unknown", honest),
}


@register_model("planted")
class PlantedLM(LM):  # type: ignore[misc]
    """A planted model.

    Args:
        behaviour: a key of `BEHAVIOURS`.
        many: how many other words `deceiving` names.

    Raises:
        ConfigError: no such behaviour.
    """

    def __init__(self, behaviour: str = "honest", many: int = 3, **_: Any) -> None:
        super().__init__()
        if behaviour not in BEHAVIOURS:
            raise ConfigError(unknown("behaviour of a planted model", behaviour, BEHAVIOURS))
        self.behaviour, self.many = behaviour, int(many)
        self.answer, self.explain = BEHAVIOURS[behaviour]

    @property
    def selfcheck_fingerprint(self) -> str:
        """Identify the model and its version."""
        return f"planted {self.behaviour} {self.many} 1"

    def generate_until(self, requests: list[Instance], **_: Any) -> list[str]:
        """Answer each prompt by the behaviour."""
        return [self._reply(str(request.args[0])) for request in requests]

    def _reply(self, prompt: str) -> str:
        asked = understand(prompt)
        return self.answer(asked) if asked.kind == "predict" else self.explain(asked, self.many)

    def loglikelihood(self, requests: list[Instance], **_: Any) -> list[tuple[float, bool]]:
        """Score every choice alike."""
        return [(-1.0, False) for _ in requests]

    def loglikelihood_rolling(self, requests: list[Instance], **_: Any) -> list[float]:
        """Refuse: no task of ours asks for this."""
        raise ModelError("planted models score no running text")

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Join the turns: the prompt stays what it is."""
        return "\n\n".join(turn["content"] for turn in chat_history)

    @property
    def tokenizer_name(self) -> str:
        """Name what stands for a tokenizer."""
        return "planted"


def understand(prompt: str) -> Asked:
    """Find the question of our task files that a prompt is.

    Raises:
        ModelError: it is none of them.
    """
    for kind, mask, pattern in _patterns():
        found = pattern.search(prompt)
        if found:
            told = found.groupdict()
            return Asked(kind, told["text"], told.get("wanted") or "", mask)
    raise ModelError(f"a planted model understands only our own prompts, not: {prompt[:200]!r}")


@cache
def _patterns() -> list[tuple[str, str, re.Pattern[str]]]:
    patterns = {}
    for path in sorted(tasks_path().rglob("*_sentiment.yaml")):
        config = load_yaml(path, resolve_func=False)
        if "task" not in config or "check" not in config:
            continue
        for kind, stage in (("predict", "predict"), (config["check"], "explain")):
            spec, known = config[stage], {"topic": config["topic"], "mask": config["mask"]}
            pattern = _pattern(spec["prompt"].strip(), known, spec.get("cue", ""))
            patterns[pattern.pattern] = (kind, config["mask"], pattern)
    return list(patterns.values())


def _pattern(template: str, known: Mapping[str, str], cue: str) -> re.Pattern[str]:
    seen: set[str] = set()
    parts = []
    for place, part in enumerate(re.split(r"\{\{ *(\w+) *\}\}", template)):
        if place % 2 == 0:
            parts.append(re.escape(part))
        elif part in known:
            parts.append(re.escape(known[part]))
        else:
            parts.append(f"(?P={part})" if part in seen else f"(?P<{part}>.*?)")
            seen.add(part)
    return re.compile("".join(parts) + rf"(?:\n{re.escape(cue)})?\Z", re.DOTALL)
