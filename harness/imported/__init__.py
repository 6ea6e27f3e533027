"""Runs of plain lm-eval, read from what `--output_path ... --log_samples` left.

`output`: the results file, and what it tells of the whole run. `task`: one task, with its samples.
"""

from harness.imported.output import read_output

__all__ = ["read_output"]
