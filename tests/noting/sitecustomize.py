"""Notes what a process does in the file `SELFCHECK_NOTES`; Python imports this by its name.

A line each: the process, and
    begin PHASE, end PHASE              what it is at (PHASES)
    asked MODEL KEY, kept MODEL KEY     a question sent to a model; its answer is in the cache
    step FOLDER N, saved FOLDER N       a step of training done; the trainer's checkpoint is whole
"""

from __future__ import annotations

import functools
import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.util import find_spec

PHASES = {
    "harness.plan": {"prepare": "checking"},
    "harness.loading": {"load": "loading"},
    "harness.measure": {"measure": "asking"},
    "harness.parts": {"settle": "settling"},
    "harness.run_files": {"_put": "writing a run"},
    "finetune.training.jobs": {"build_trainer": "loading to train"},
    "finetune.trainer": {"_train_and_save": "training"},
    "finetune.training.saving": {"save_finished": "saving weights"},
    "finetune.workspace": {"_fill": "opening the folder"},
    "finetune.watching.state": {"save": "writing the state"},
    "finetune.watching.scorer": {"run_command": "awaiting a scoring"},
    "finetune.finetuning": {"_write": "writing tables"},
    "leaderboards.entries": {"read_entries": "reading runs"},
    "leaderboards.board": {"build_board": "building a board"},
    "leaderboards.page": {"render_page": "making the page"},
    "leaderboards.folder": {"_write": "writing a board"},
}


def note(*words: object) -> None:
    line = " ".join(map(str, (os.getpid(), *words))) + "\n"
    file = os.open(os.environ["SELFCHECK_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())  # at once: a kill leaves no half of a line
    os.close(file)


def around(owner, name, before=None, after=None):
    own = getattr(owner, name)

    @functools.wraps(own)
    def noted(*args, **kwargs):
        if before:
            before(*args)
        done = own(*args, **kwargs)
        if after:
            after(*args)
        return done

    setattr(owner, name, noted)


def phase(owner, name, word):
    word = word.replace(" ", "-")
    around(owner, name, lambda *_: note("begin", word), lambda *_: note("end", word))


def asked(backend, kind, new, *_):
    for key in new:
        note("asked", backend.fingerprint, key)


def kept(cache, fingerprint, kind, key, *_):
    note("kept", fingerprint, key)


def step(word):
    def told(handler, args, state, *_):
        note(word, args.output_dir, state.global_step)

    return told


def patch(name, module):
    for attribute, word in PHASES.get(name, {}).items():
        phase(module, attribute, word)
    if name == "harness.backend":
        around(module.Backend, "_send", asked)
    elif name == "harness.cache":
        around(module.ResponseCache, "put", after=kept)
    elif name == "transformers.trainer":
        phase(module.Trainer, "_save_checkpoint", "saving a checkpoint")
    elif name == "transformers.trainer_callback":
        around(module.CallbackHandler, "on_step_end", after=step("step"))
        around(module.CallbackHandler, "on_save", after=step("saved"))


PATCHED = {
    *PHASES, "harness.backend", "harness.cache", "transformers.trainer",
    "transformers.trainer_callback",
}  # fmt: skip


class Patching(Loader):
    def __init__(self, loader):
        self.loader = loader

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        patch(module.__name__, module)


class Finder(MetaPathFinder):
    busy = False

    def find_spec(self, name, path, target=None):
        if name not in PATCHED or self.busy:
            return None
        self.busy = True
        try:
            spec = find_spec(name)
        finally:
            self.busy = False
        if spec is not None:
            spec.loader = Patching(spec.loader)
        return spec


if "SELFCHECK_NOTES" in os.environ:
    note("begin", "starting")
    sys.meta_path.insert(0, Finder())
