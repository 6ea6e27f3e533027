"""Evaluation of a language model's explanations of its own answers, on top of lm-eval.

Importing this package loads nothing heavy; see `harness.evaluate` to run, `harness.checks` for
what is measured, `harness.dialogue` for how a check talks to a model.
"""

__version__ = "0.1.0"
