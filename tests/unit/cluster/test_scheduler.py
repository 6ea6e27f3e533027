from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cluster.scheduler import COPIES, DEATHS, LATE, LEAST, UNKNOWN, Outcome, Scheduler
from harness.errors import ModelError


def handed(scheduler: Scheduler, *workers: str, now: float = 0.0) -> list[int | None]:
    return [scheduler.hand_out(worker, now) for worker in workers]


def test_shards_are_handed_out_in_order_each_once():
    scheduler = Scheduler(range(3))
    assert handed(scheduler, "a", "b", "c", "d") == [0, 1, 2, None]


def test_run_is_done_when_each_shard_has_a_result():
    scheduler = Scheduler(range(2))
    handed(scheduler, "a", "b")
    assert scheduler.finished("b", 1) is Outcome.FIRST
    assert not scheduler.is_done
    assert scheduler.finished("a", 1) is Outcome.FIRST
    assert scheduler.is_done
    assert scheduler.repeated == 0


def test_run_without_shards_is_done():
    assert Scheduler([]).is_done


def test_death_gives_back_the_shard_before_all_others():
    scheduler = Scheduler(range(4))
    handed(scheduler, "a", "b")
    scheduler.died("a", "killed")
    assert handed(scheduler, "c", "d") == [0, 2]
    assert scheduler.repeated == 1


def test_death_of_an_idle_worker_repeats_nothing():
    scheduler = Scheduler(range(1))
    handed(scheduler, "a")
    scheduler.finished("a", 1)
    scheduler.died("a", "killed")
    assert scheduler.is_done
    assert scheduler.repeated == 0


def test_late_shard_goes_to_an_idle_worker_and_the_first_result_counts():
    scheduler = Scheduler(range(3))
    handed(scheduler, "a", "b")
    scheduler.finished("b", 10)
    assert scheduler.hand_out("b", 10) == 2
    scheduler.finished("b", 20)
    assert scheduler.hand_out("b", 10 * LATE) is None
    assert scheduler.hand_out("b", 10 * LATE + 1) == 0
    assert scheduler.finished("b", 31) is Outcome.FIRST
    assert scheduler.is_done
    assert scheduler.finished("a", 99) is Outcome.REPEATED
    assert scheduler.repeated == 1


def test_late_copy_is_copied_too_when_it_is_late_itself():
    scheduler = Scheduler(range(2))
    handed(scheduler, "a", "b")
    scheduler.finished("b", 10)
    assert scheduler.hand_out("b", 30) == 0
    assert scheduler.hand_out("c", 31) is None
    assert scheduler.hand_out("c", 51) == 0
    assert scheduler.hand_out("d", 999) is None, "as many copies as there may be"
    assert COPIES == 3


def test_death_with_a_copy_elsewhere_hands_nothing_out():
    scheduler = Scheduler(range(2))
    handed(scheduler, "a", "b")
    scheduler.finished("b", 10)
    scheduler.hand_out("b", 30)
    scheduler.died("a", "killed")
    assert scheduler.hand_out("c", 31) is None
    scheduler.finished("b", 40)
    assert scheduler.is_done


def test_while_nothing_is_finished_late_is_what_takes_very_long():
    scheduler = Scheduler(range(1))
    handed(scheduler, "a")
    assert scheduler.hand_out("b", UNKNOWN) is None
    assert scheduler.hand_out("b", UNKNOWN + 1) == 0


def test_shards_that_take_no_time_are_not_late_at_once():
    scheduler = Scheduler(range(2))
    handed(scheduler, "a", "b")
    scheduler.finished("b", 0.01)
    assert scheduler.hand_out("b", LEAST) is None
    assert scheduler.hand_out("b", LEAST + 1) == 0


def test_shard_that_kills_its_workers_ends_the_run():
    scheduler = Scheduler(range(2))
    for number in range(DEATHS - 1):
        assert scheduler.hand_out(f"w{number}", 0) == 0
        scheduler.died(f"w{number}", "out of memory")
    scheduler.hand_out("last", 0)
    with pytest.raises(ModelError, match=r"3 workers died of the same documents.*out of memory"):
        scheduler.died("last", "out of memory")


def test_workers_that_die_while_they_load_end_the_run_unless_one_comes_through():
    scheduler = Scheduler(range(2))
    for _ in range(3):
        scheduler.died("a", "killed")
        scheduler.died("b", "killed")
        scheduler.loaded()
    scheduler.died("a", "killed")
    scheduler.died("b", "killed")
    with pytest.raises(ModelError, match="3 workers died of loading the model"):
        scheduler.died("c", "killed")


@dataclass
class Simulation:
    """Workers with a clock: each takes some time for a shard, dies of it, or hangs."""

    scheduler: Scheduler
    fates: list[float | str]
    now: float = 0.0
    events: list[tuple[float, int, str, str]] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    first: Counter[int] = field(default_factory=Counter)
    handed: Counter[int] = field(default_factory=Counter)
    holds: dict[str, int] = field(default_factory=dict)
    born: int = 0

    def run(self, workers: int) -> None:
        self.idle = [self.new() for _ in range(workers)]
        for _ in range(10_000):
            if self.scheduler.is_done:
                return
            self.give()
            self.step()
        raise AssertionError("the run does not end")

    def new(self) -> str:
        self.born += 1
        return f"w{self.born}"

    def give(self) -> None:
        for worker in list(self.idle):
            shard = self.scheduler.hand_out(worker, self.now)
            if shard is None:
                continue
            self.idle.remove(worker)
            self.handed[shard] += 1
            self.holds[worker] = shard
            assert Counter(self.holds.values())[shard] <= COPIES
            fate = self.fates.pop() if self.fates else 1.0
            if fate == "hang":
                continue
            wait, what = (0.5, "dies") if fate == "die" else (float(fate), "done")
            heapq.heappush(
                self.events, (self.now + wait, self.born + len(self.events), worker, what)
            )

    def step(self) -> None:
        """Go on to what happens next, or half a second if somebody is waited for."""
        if not self.events or (self.idle and self.events[0][0] > self.now + 0.5):
            self.now += 0.5
            return
        self.now, _, worker, what = heapq.heappop(self.events)
        shard = self.holds.pop(worker)
        if what == "dies":
            self.scheduler.died(worker, "killed")
            self.idle.append(self.new())
            return
        if self.scheduler.finished(worker, self.now) is Outcome.FIRST:
            self.first[shard] += 1
        self.idle.append(worker)


durations = st.floats(0.1, 30).map(lambda seconds: round(seconds, 2))


@given(st.integers(1, 30), st.integers(1, 6), st.lists(durations, max_size=60))
def test_simulated_run_each_shard_counts_once(shards, workers, fates):
    simulation = Simulation(Scheduler(range(shards)), list(fates))
    simulation.run(workers)
    assert simulation.first == Counter(range(shards))
    assert sum(simulation.handed.values()) == shards + simulation.scheduler.repeated


@given(st.integers(1, 30), st.integers(1, 6))
def test_simulated_run_of_equal_workers_repeats_nothing(shards, workers):
    simulation = Simulation(Scheduler(range(shards)), [])
    simulation.run(workers)
    assert simulation.scheduler.repeated == 0


@settings(max_examples=300)
@given(
    st.integers(2, 30),
    st.integers(3, 6),
    st.lists(durations | st.just("die"), max_size=40),
    st.data(),
)
def test_simulated_run_ends_with_deaths_and_workers_that_hang(shards, workers, fates, data):
    # the first two take any of the first three places: somebody finishes something
    hangs = data.draw(st.sets(st.integers(0, len(fates)), max_size=2))
    told = list(fates)
    for place in sorted(hangs):
        told.insert(place, "hang")
    simulation = Simulation(Scheduler(range(shards)), told)
    try:
        simulation.run(workers)
    except ModelError as err:
        assert fates.count("die") >= DEATHS
        assert "the same documents" in str(err)
        return
    assert simulation.first == Counter(range(shards))
