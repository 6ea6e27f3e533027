from __future__ import annotations

import pytest

from harness.errors import ConfigError, ModelError
from harness.servers import BudgetSpentError, Limits, limited
from harness.servers.limits import Account, account


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("name", ["max_requests", "max_tokens", "requests_per_minute"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3"])
def test_limits_take_whole_numbers_of_at_least_one(name, value):
    option = f"--{name.replace('_', '-')}"
    with pytest.raises(ConfigError, match=rf"^{option} must be (at least 1|a whole number), got"):
        Limits(**{name: value})


def test_rate_spaces_requests_evenly_and_saves_nothing_up():
    clock = Clock()
    own = Account(Limits(requests_per_minute=30), clock)  # one in two seconds
    assert [own.reserve() for _ in range(3)] == [0, 2, 4]
    clock.now += 3
    assert own.reserve() == 3, "the fourth is due six seconds after the first"
    clock.now += 1000
    assert [own.reserve() for _ in range(2)] == [0, 2], "a pause allows no burst"


def test_rate_without_a_limit_never_waits():
    own = Account(Limits(), Clock())
    assert [own.reserve() for _ in range(3)] == [0, 0, 0]


def test_budget_of_requests_stops_exactly_there():
    own = Account(Limits(max_requests=2))
    for _ in range(2):
        own.check()
        own.requests += 1
    with pytest.raises(
        BudgetSpentError, match=r"^budget spent: 2 of 2 requests \(--max-requests\)$"
    ):
        own.check()


def test_budget_of_tokens_lets_the_answer_end_that_goes_over_it():
    own = Account(Limits(max_tokens=10))
    own.check()
    own.count_tokens(14)
    with pytest.raises(BudgetSpentError, match="14 of 10 tokens"):
        own.check()


def test_budget_of_tokens_needs_a_server_that_counts():
    with pytest.raises(ModelError, match=r"no usage.*--max-tokens.*--max-requests"):
        Account(Limits(max_tokens=10)).count_tokens(None)
    Account(Limits(max_requests=10)).count_tokens(None)


def test_limited_holds_for_its_run_alone_and_logs_what_was_spent(caplog):
    caplog.set_level("INFO", "harness")
    outside = account()
    with limited(Limits(max_requests=5)) as own:
        assert account() is own
        own.requests, own.retries, own.tokens = 4, 1, 30
    assert account() is outside and outside.limits == Limits()
    assert "4 requests, 1 of them retries; 30 tokens" in caplog.text
