"""Score every complete new checkpoint in a folder, once, whoever writes them.

runs/NAME/      the run of checkpoint NAME; runs/base, if the base was scored here
logs/NAME.log   what its scoring printed
watch.json      what was scored: what tells a replaced checkpoint, and a killed watch where to go on
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from finetune.checkpoints import digest, fault, find, listing, natural
from finetune.watching.state import State, save
from harness.errors import ConfigError, SelfcheckError, printable
from harness.run_files import RECORD, is_file_name, read_run

log = logging.getLogger(__name__)

BASE = "base"
JOINED = "--"
Score = Callable[[Path, Path, Path], str | None]
"""Scores a checkpoint (1st) into a run's folder (2nd), with a log (3rd); says why it could not."""


@dataclass
class _Seen:
    """A checkpoint as it was found: since when (by the clock) its files have been as they are."""

    listing: tuple[tuple[object, ...], ...]
    since: float
    told: str | None = None
    digest: str | None = None
    tried: bool = False


@dataclass
class Watcher:
    """Looks at a folder, and scores what is new there.

    A checkpoint is taken once nothing is to be seen that is wrong with it (`checkpoints.fault`) and
    its files have not changed for `settle` seconds by this machine's clock, whatever their own
    times say. One whose writer pauses for longer, with every file that it has begun whole and the
    last ones (a tokenizer, say) not begun, is taken too early: its scoring then fails and is tried
    again when the files come, or, if it could be scored so, the change is reported.

    Attributes:
        folder: where checkpoints appear.
        output: where runs, logs and the state go.
        score: scores one checkpoint.
        update: is given all runs by name after each, the base among them.
        base: the base's run.
        settle: seconds.
        state: what is known of earlier watches.
        clock, sleep: those of the machine, unless a test has its own.
        failed: why, by name: since this watch began.
    """

    folder: Path
    output: Path
    score: Score
    update: Callable[[Mapping[str, Path]], None]
    base: Path
    settle: float
    state: State
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    failed: dict[str, str] = field(default_factory=dict)
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def watch(self, every: float) -> None:
        """Look and score until somebody interrupts."""
        waits = False
        self._update()
        while True:
            if not self.folder.is_dir() and not waits:
                log.info("%s is not there yet: waiting for it", self.folder)
            waits = not self.folder.is_dir()
            ready, unsettled = self._look()
            if ready:
                self._take(*ready[0])  # then look again: an earlier one may be complete now
            else:
                self.sleep(min(every, self.settle) if unsettled else every)

    def watch_once(self) -> None:
        """Score what is there now, and is complete; two looks tell what is still being written.

        Raises:
            ConfigError: there is no such folder.
        """
        if not self.folder.is_dir():
            raise ConfigError(
                f"{self.folder}: there is no such folder; without --once it is awaited"
            )
        self._update()
        if self._look()[1]:
            self.sleep(self.settle)
        ready, unsettled = self._look()
        for name in unsettled:
            log.warning("%s is still being written: left for the next time", printable(name))
        for name, checkpoint in ready:
            self._take(name, checkpoint)

    def runs(self) -> dict[str, Path]:
        """Give all runs by name: the base, then checkpoints in natural order."""
        names = sorted(set(self.state.scored) - {BASE}, key=natural)
        return {BASE: self.base, **{name: self._run(name) for name in names if self._has_run(name)}}

    def _run(self, name: str) -> Path:
        return self.output / "runs" / name

    def _has_run(self, name: str) -> bool:
        return (self._run(name) / RECORD).is_file()

    def _look(self) -> tuple[list[tuple[str, Path]], list[str]]:
        """Give what is ready to be scored, in order, and the names of what may change yet."""
        ready, unsettled = [], []
        for name, checkpoint in self._named().items():
            files = listing(checkpoint)
            seen = self._seen.get(name)
            if seen is None or seen.listing != files:
                seen = self._seen[name] = _Seen(files, self.clock())
            if self.clock() - seen.since < self.settle:
                unsettled.append(name)
            elif self._has_run(name):
                self._compare(name, checkpoint, seen)
            elif not seen.tried and self._is_sound(name, checkpoint, seen):
                ready.append((name, checkpoint))
        return ready, unsettled

    def _named(self) -> dict[str, Path]:
        named: dict[str, Path] = {}
        for checkpoint in find(self.folder):
            name = JOINED.join(checkpoint.relative_to(self.folder).parts) or self.folder.name
            if (reason := _name_fault(name, named)) is None:
                named[name] = checkpoint
            else:
                self._tell(str(checkpoint), checkpoint, f"{reason}; rename its folder")
        for gone in set(self._seen) - set(named):
            if not self._has_run(gone) and not self._seen[gone].tried:
                log.warning("%s was removed before it was scored", printable(gone))
            del self._seen[gone]
        return named

    def _is_sound(self, name: str, checkpoint: Path, seen: _Seen) -> bool:
        reason = fault(checkpoint)
        if reason is not None and seen.told != reason:
            self._tell(name, checkpoint, f"it cannot be loaded: {reason}")
        seen.told = reason
        return reason is None

    def _tell(self, name: str, checkpoint: Path, reason: str) -> None:
        """Keep why a checkpoint is not scored."""
        told = printable(f"{checkpoint} is not scored: {reason}")
        if self.failed.get(name) != told:
            log.error("%s", told)
            self.failed[name] = self.state.failed[name] = told
            save(self.state, self.output)

    def _compare(self, name: str, checkpoint: Path, seen: _Seen) -> None:
        """Say, once, if a scored checkpoint is no longer the one that was scored."""
        if seen.digest is not None:
            return
        seen.digest = _digest(checkpoint) or ""
        if name not in self.state.scored:  # a watch was killed before it could say so
            self._keep(name, self.state.scoring.get(name, seen.digest))
            self._update()
        if seen.digest not in ("", self.state.scored[name]):
            again = f"to score what is there now, remove {self._run(name)}"
            self._tell(name, checkpoint, f"its files are not those that were scored; {again}")

    def _take(self, name: str, checkpoint: Path) -> None:
        """Score a checkpoint, and keep that it was."""
        seen, run = self._seen[name], self._run(name)
        seen.tried, before = True, _digest(checkpoint)
        if before is None or listing(checkpoint) != seen.listing:
            log.warning("%s has changed since it was looked at, or is gone", printable(name))
            del self._seen[name]
            return
        log.info("Scoring %s", printable(str(checkpoint)))
        self.state.scored.pop(name, None)
        self.failed.pop(name, None)
        self.state.scoring = {name: before}
        save(self.state, self.output)
        begun = self.clock()
        reason = self.score(checkpoint, run, self.output / "logs" / f"{name}.log")
        if not self._has_run(name):
            self._tell(name, checkpoint, reason or "its scoring wrote no run")
            return
        others = set(listing(checkpoint)) - set(seen.listing)  # removed files were read before
        if others and _digest(checkpoint) not in (before, None):
            shutil.rmtree(run)
            self._tell(
                name, checkpoint, "its files changed while it was scored; the run is dropped"
            )
            del self._seen[name]
            return
        seen.digest, seen.tried = before, False
        log.info("Scored %s in %.0f s", printable(name), self.clock() - begun)
        self._keep(name, before)
        self._report_tasks(name, run)
        self._update()

    def _keep(self, name: str, told: str) -> None:
        self.state.scored[name], self.state.scoring = told, {}
        self.state.failed.pop(name, None)
        self.failed.pop(name, None)
        save(self.state, self.output)

    def _report_tasks(self, name: str, run: Path) -> None:
        """Count a run as failed whose tasks failed: it stays, with the reasons."""
        tasks = {task: told.failed for task, told in read_run(run).tasks.items() if told.failed}
        for task, reason in tasks.items():
            log.warning("%s: task %s failed: %s", printable(name), task, reason)
        if tasks:
            self.failed[name] = f"tasks failed: {', '.join(tasks)}"

    def _update(self) -> None:
        try:
            self.update(self.runs())
        except SelfcheckError as err:
            log.error("The board could not be written: %s", printable(str(err)))
        except Exception:  # days of scoring are worth more than a table
            log.exception("The board could not be written")


def _name_fault(name: str, named: Mapping[str, Path]) -> str | None:
    if not is_file_name(name):
        return "its name is too long"
    if name == BASE or name in named:
        return f"its name is that of {'the base' if name == BASE else named[name]}"
    return None


def _digest(checkpoint: Path) -> str | None:
    """Hash a checkpoint; None: it is gone."""
    try:
        return digest(checkpoint) if checkpoint.is_dir() else None
    except FileNotFoundError:
        return None
