"""Files that are not as they were written: what reads them says so, or is not misled.

`mutations` changes a file, `targets` are what reads files, `trying` tries one on the other. A case
is told by target, seed and number alone. `tests/benchmarks/fuzz_table.py` tries thousands.
"""
