"""Models whose faithfulness is known by construction: what the instrument itself is tested with.

    selfcheck run --model planted --model-args behaviour=honest --tasks selfcheck-sample

A planted model answers by certain words of a text (`harness.planted.rules`); the behaviours differ
in how it explains itself. Of a question without a text it answers by the hidden weights of words
(`harness.planted.weights`), and `--simulator planted-simulator` predicts it. A single question it
answers alike however it explains itself (`harness.planted.answers`). It understands the prompts of
our task files, and no others. To choices it gives equal scores: it knows nothing.
"""

from harness.planted.model import BEHAVIOURS, PlantedLM, PlantedSimulator
from harness.planted.rules import DENIALS, KEYWORDS, NOUNS

__all__ = ["BEHAVIOURS", "DENIALS", "KEYWORDS", "NOUNS", "PlantedLM", "PlantedSimulator"]
