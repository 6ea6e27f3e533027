"""What workers answer, and what comes of it; the workers are made up, the rest is real."""

from __future__ import annotations

import pytest

from harness import __version__
from harness.cluster import pool as pools
from harness.cluster.pool import Death, Pool, Room
from harness.cluster.session import Session
from harness.cluster.store import open_store
from harness.cluster.worker import Answer, Fault, Loaded, Surroundings
from harness.errors import CheckError, ConfigError, DataError, ModelError
from harness.plan import Plan


class MadeUpPool:
    """Workers that give, one after another, the answers of a script."""

    def __init__(self, *answers):
        self.answers, self.names, self.asked = list(answers), [], []
        self.room, self.rooms = Room(2, 0), []

    def start(self):
        self.names.append(f"worker {len(self.names) + len(self.asked) + 1}")
        return self.names[-1]

    def ask(self, name, method, argument):
        self.asked.append((name, method))

    def wait(self, seconds):
        yield self.names[0], self.answers.pop(0)

    def end(self, name):
        self.names.remove(name)

    def refit(self):
        if self.rooms:
            self.room = self.rooms.pop()
            return True
        return False


def answered(value=None, fault=None, warnings=()):
    return Answer(value, fault, list(warnings), "node-7")


def loaded(fingerprint="f" * 64, version=__version__):
    return answered(Loaded(fingerprint, version))


def run(tmp_path, *answers, stopped=lambda: False):
    pool = MadeUpPool(*answers)
    store = open_store(tmp_path / "parts", {})
    session = Session(pool, Plan("planted", ("a",)), [{"a": [0]}, {"a": [1]}], store, 1)
    try:
        session.run(stopped)
    finally:
        assert not set(pool.names) - session._idle, "who is busy is ended"
    return pool


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("DataError", "line 3 is damaged"), DataError),
        (Fault("ModelError", "line 3 is damaged"), ModelError),
        (Fault(None, "KeyError: line 3 is damaged", "Traceback ..."), CheckError),
    ],
)
def test_fault_of_a_worker_is_raised_as_its_kind_and_names_the_machine(tmp_path, fault, kind):
    with pytest.raises(kind, match=r"^node-7: .*line 3 is damaged$"):
        run(tmp_path, answered(fault=fault))


def test_trace_of_a_bug_is_logged(tmp_path, caplog):
    with pytest.raises(CheckError):
        run(tmp_path, answered(fault=Fault(None, "KeyError: 1", "Traceback: there")))
    assert "Traceback: there" in caplog.text


def test_machine_with_another_version_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"node-7 has selfcheck 0\.0\.1"):
        run(tmp_path, loaded(version="0.0.1"))


def test_machine_with_another_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"node-7: .* on different models"):
        run(tmp_path, loaded(), Death("killed"), loaded("e" * 64))


def test_model_that_nobody_can_load_ends_the_run(tmp_path):
    with pytest.raises(ModelError, match=r"3 workers died of loading the model.*memory"):
        run(tmp_path, *[Death("OutOfMemoryError: memory")] * 3)


def test_warning_of_many_workers_is_told_once(tmp_path, caplog):
    told = [Answer(one.value, None, ["be careful"], "node") for one in (loaded(), loaded())]
    with pytest.raises(ModelError):
        run(tmp_path, told[0], Death("1"), told[1], *[Death("2")] * 9)
    assert caplog.text.count("be careful") == 1


def test_worker_that_waits_for_more_room_than_is_left_is_started_anew(tmp_path, caplog):
    pool = MadeUpPool()
    pool.rooms = [Room(1, 0)]
    session = Session(pool, Plan("planted", ("a",)), [{"a": [0]}], open_store(tmp_path, {}), 1)
    looks = iter([False, True])
    pool.wait = lambda seconds: []
    with pytest.raises(KeyboardInterrupt):
        session.run(lambda: next(looks))
    (first, _), (second, method) = pool.asked
    assert first != second and method == "load"
    assert "cores of each worker from now on: 1" in caplog.text


@pytest.mark.parametrize(
    ("room", "cores", "left"),
    [
        (Room(2, 0), [1, 2], Room(1, 0)),  # two workers of two cores were on nodes of 2, 2 and 1
        (Room(2, 0), [2, 2], None),
        (Room(2, 0), [8, 8], None),  # those that are there hold what they hold
        (Room(1, 1), [1], None),
        (Room(4, 0), [], Room(1, 0)),
    ],
)
def test_room_is_that_of_the_nodes_that_are_left(monkeypatch, room, cores, left):
    monkeypatch.setattr(pools, "nodes", lambda: [{"CPU": float(count)} for count in cores])
    pool = Pool(room, Surroundings({}, ".", False), 2)
    assert pool.refit() == (left is not None)
    assert pool.room == (left or room)


def test_stopped_run_is_interrupted(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stopped=lambda: True)
