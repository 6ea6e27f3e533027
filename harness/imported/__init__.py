"""Runs of plain lm-eval, read from what `--output_path ... --log_samples` left.

`output`: the results file, and what it tells of the whole run. `task`: one task, with its metrics.
`samples`: its documents. `written`: the shapes of what lm-eval writes, as far as it is read.
"""

from harness.imported.output import read_output

__all__ = ["read_output"]
