"""Tables over many runs. There is none yet."""
