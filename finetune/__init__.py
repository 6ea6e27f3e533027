"""Training recipes whose checkpoints are scored by `harness`. There is none yet."""
