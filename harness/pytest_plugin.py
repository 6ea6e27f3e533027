"""pytest plugin: a gate as tests, one per task and metric.

    pytest --selfcheck-baseline RUN --selfcheck-candidate RUN-OR-CHECKPOINT [--selfcheck-config F]

Nothing is added without these options. A checkpoint (a folder without `run.json`, or a name on the
hub) is scored first, as the baseline was: same tasks, documents and prompts. Under pytest-xdist one
process scores, the others wait for it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.gate import Check, GateConfig, Planned, Verdict
    from harness.run_files import StoredRun

OPTIONS = ("baseline", "candidate", "config", "output")
_gate = pytest.StashKey["Gate"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("selfcheck", "selfcheck: may this checkpoint ship?")
    add = group.addoption
    add("--selfcheck-baseline", type=Path, metavar="RUN", help="folder of the run to hold")
    add("--selfcheck-candidate", metavar="RUN|CHECKPOINT", help="a run, or what is scored first")
    add("--selfcheck-config", type=Path, metavar="FILE", help="margins (YAML)")
    add("--selfcheck-output", type=Path, metavar="DIR", help="keep the run of a checkpoint here")


def pytest_configure(config: pytest.Config) -> None:
    """Read the baseline and the margins, so that a wrong one stops before anything runs."""
    config.addinivalue_line("markers", "selfcheck: a check of the selfcheck gate")
    given = [name for name in OPTIONS if config.getoption(f"selfcheck_{name}")]
    if not given:
        return
    for name in ("baseline", "candidate"):
        if name not in given:
            raise pytest.UsageError(f"--selfcheck-{name} is missing: a gate compares two runs")
    from harness.errors import SelfcheckError, printable

    try:
        config.stash[_gate] = Gate(config)
    except SelfcheckError as err:
        raise pytest.UsageError(printable(str(err))) from err


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add a test for every check."""
    told = session.config.stash.get(_gate, None)
    if told is not None:
        items += GateCollector.from_parent(session, name="selfcheck", nodeid="selfcheck").checks()


class Gate:
    """What is to be checked, and once it is needed, what came of it.

    Raises:
        SelfcheckError: the baseline, the candidate's run, or the margins are wrong.
    """

    def __init__(self, config: pytest.Config) -> None:
        from harness.errors import ConfigError
        from harness.gate import planned, read_config
        from harness.run_files import RECORD, check_absent, read_run

        file: Path | None = config.getoption("selfcheck_config")
        self.config: GateConfig = read_config(file)
        self.strict = file is not None
        self.baseline: StoredRun = read_run(config.getoption("selfcheck_baseline"))
        self.planned: list[Planned] = planned(self.baseline, self.config, self.strict)
        self.candidate: str = config.getoption("selfcheck_candidate")
        self.output: Path | None = config.getoption("selfcheck_output")
        worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        self.testrun: str | None = worker["testrunuid"] if worker else None
        self.is_run = Path(self.candidate, RECORD).exists()
        if not self.is_run:
            self._check_checkpoint()
        else:
            read_run(Path(self.candidate))
            if self.output:
                raise ConfigError("--selfcheck-output is for a checkpoint; the candidate is a run")
        if self.output and worker is None:
            check_absent(self.output)

    def _check_checkpoint(self) -> None:
        from harness.errors import ConfigError
        from harness.repeat import like
        from harness.selection import build_manager, match_names

        path = Path(self.candidate)
        local = path.is_absolute() or self.candidate.startswith(".") or len(path.parts) > 2
        if not path.exists() and (local or Path(path.parts[0]).exists()):
            raise ConfigError(f"--selfcheck-candidate {path}: there is no such run or checkpoint")
        plan = like(self.baseline.record, self.candidate)
        match_names(plan.tasks, build_manager(plan.include_path))

    @cached_property
    def outcome(self) -> Verdict | Exception:
        """What came of it; or the error that kept it from being made, which is not tried again."""
        from harness.gate import gate

        try:
            return gate(self.baseline, self._scored(), self.config, self.strict)
        except Exception as err:
            return err

    def _scored(self) -> StoredRun:
        from filelock import FileLock

        from harness.errors import ModelError
        from harness.evaluate import run
        from harness.repeat import like
        from harness.run_files import RECORD, read_run, write_run

        if self.is_run:
            return read_run(Path(self.candidate))
        folder = self.output or self._shared_folder()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not (folder / RECORD).exists():
                done = run(like(self.baseline.record, self.candidate))
                if done is None:
                    raise ModelError("pytest must run as one process, not under a launcher")
                write_run(done, folder)
        return read_run(folder, name=Path(self.candidate).name)

    def _shared_folder(self) -> Path:
        """Give a folder that the workers of one run of pytest-xdist share, or a new one."""
        if self.testrun is None:
            return Path(tempfile.mkdtemp(prefix="selfcheck-")) / "run"
        told = f"{self.baseline.id} {Path(self.candidate).absolute()}".encode()
        name = f"selfcheck-{self.testrun}-{hashlib.sha256(told).hexdigest()[:12]}"
        return Path(tempfile.gettempdir()) / name / "run"


class GateCollector(pytest.Collector):
    """Where the checks hang in pytest's tree."""

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        """Make a test of every check."""
        return [*self.checks()]

    def checks(self) -> list[pytest.Item]:
        """Make a test of every check."""
        names = [f"{one.task}::{one.metric}" for one in self.config.stash[_gate].planned]
        return [GateItem.from_parent(self, name=name) for name in names]


class GateItem(pytest.Item):
    """One check."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.add_marker("selfcheck")

    def runtest(self) -> None:
        """Pass, fail, or skip what the documents cannot settle (or fail, as configured)."""
        from harness.errors import printable

        told = self.config.stash[_gate]
        if isinstance(told.outcome, Exception):
            raise told.outcome
        check = next(check for check in told.outcome.checks if check.name == self.name)
        self.user_properties += list(_properties(check))
        self.add_report_section("call", "notes", printable("\n".join(told.outcome.notes)))
        if check.status == "inconclusive" and told.config.inconclusive == "skip":
            pytest.skip(f"inconclusive: {check.reason}")
        if check.status != "pass":
            raise GateFailed(f"{check.status}: {check.reason}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Give the reason alone; a traceback only of what is our bug."""
        from harness.errors import SelfcheckError, printable

        if isinstance(excinfo.value, (GateFailed, SelfcheckError)):
            return printable(f"{self.name}: {excinfo.value}")
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Say where the test is from."""
        return self.config.stash[_gate].baseline.folder, None, f"selfcheck {self.name}"


class GateFailed(Exception):  # noqa: N818  (pytest shows the name)
    """A check did not pass."""


def _properties(check: Check) -> Iterator[tuple[str, object]]:
    yield "status", check.status
    yield "margin", check.margin.margin
    if check.row is not None:
        yield "base", check.row.base
        yield "candidate", check.row.candidate
        yield "difference", check.row.difference
        yield "low", check.row.interval.low
        yield "high", check.row.interval.high
        yield "n", check.row.n
