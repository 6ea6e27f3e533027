"""What it is worth that a process keeps freed memory: a real model answers, both ways in turns.

python -m tests.benchmarks.allocator [--questions 32] [--rounds 2]
"""

from __future__ import annotations

import argparse
import subprocess
import sys

CODE = """
import sys, time, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from harness.allocator import keep_freed_memory
from harness.models import demo_model
if sys.argv[1] == "kept":
    keep_freed_memory()
folder = demo_model()
tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
text = " ".join(f"word{n}" for n in range(100))
asked = tokenizer([text] * int(sys.argv[2]), return_tensors="pt")
start = time.perf_counter()
with torch.no_grad():
    model.generate(**asked, max_new_tokens=32, min_new_tokens=32, do_sample=False)
print(time.perf_counter() - start)
"""


def main() -> None:
    """Print seconds and ratio, round by round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    print("given back (s)   kept (s)   ratio")
    for _ in range(args.rounds):
        given, kept = (_measure(mode, args.questions) for mode in ("given back", "kept"))
        print(f"{given:14.1f} {kept:10.1f} {given / kept:7.1f}", flush=True)


def _measure(mode: str, questions: int) -> float:
    line = [sys.executable, "-c", CODE, mode, str(questions)]
    told = subprocess.run(line, capture_output=True, check=True, text=True)
    return float(told.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
