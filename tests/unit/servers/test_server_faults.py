from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from harness.servers import guarding
from harness.servers.faults import (
    LONGEST_MESSAGE,
    PassingError,
    RefusedError,
    known_secrets,
    of_status,
    shortened,
)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 529])
def test_of_status_passes(status):
    assert isinstance(of_status(status, {}, ""), PassingError)


@pytest.mark.parametrize("status", [300, 400, 401, 403, 404, 413, 422])
def test_of_status_is_refused(status):
    assert isinstance(of_status(status, {}, ""), RefusedError)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"error": {"message": "no such model"}}', "no such model"),
        ('{"error": "no such model"}', "no such model"),
        ('{"detail": "no such model"}', "no such model"),
        ('{"object": "error", "message": "no such model"}', "no such model"),
        ("no such\n  model", "no such model"),
        ("\x1b[31mno such model", "\\x1b[31mno such model"),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_of_status_repeats_the_message(text, said):
    assert str(of_status(404, {}, text)) == f"status 404: {said}"


def test_of_status_repeats_no_secret_and_no_novel():
    told = str(of_status(401, {}, "wrong key my-own-word, api_key=abc1234", ["my-own-word"]))
    assert told == "status 401: wrong key ***, api_key=***"
    assert len(shortened("word " * 1000)) == LONGEST_MESSAGE + 3


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("7", 7), (" 0.5 ", 0.5), (None, None), ("soon", None), ("-3", None), ("1e400", None)],
)
def test_retry_after_is_read_in_seconds(told, seconds):
    headers = {} if told is None else {"Retry-After": told}
    assert of_status(429, headers, "").retry_after == seconds


def test_retry_after_may_be_a_date():
    when = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3500 < of_status(503, {"Retry-After": when}, "").retry_after <= 3600
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    assert of_status(503, {"Retry-After": past}, "").retry_after == 0


def test_known_secrets_are_what_opens_the_door(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "kept-in-env")
    monkeypatch.setenv("SOME_NAME", "not-a-secret")
    header = {"Authorization": "Bearer sent-along", "anthropic-version": "2023-06-01"}
    told = known_secrets(header)
    assert {"kept-in-env", "sent-along"} <= set(told)
    assert "not-a-secret" not in told and "2023-06-01" not in told
    assert [len(one) for one in told] == sorted(map(len, told), reverse=True)


def wait(err, attempt):
    from concurrent.futures import Future

    from tenacity import RetryCallState

    state = RetryCallState(None, None, (), {})
    state.attempt_number, state.outcome = attempt, Future()
    state.outcome.set_exception(err)
    return guarding._wait(state)


def test_wait_is_random_below_a_bound_that_doubles():
    for attempt in (1, 3, 5):
        drawn = [wait(PassingError("x"), attempt) for _ in range(200)]
        bound = guarding.FIRST_WAIT * 2**attempt
        assert 0 <= min(drawn) < bound / 4 and bound / 4 < max(drawn) <= bound
    assert max(wait(PassingError("x"), 60) for _ in range(50)) <= guarding.LONGEST_WAIT


def test_wait_is_at_least_what_the_server_asks_for_up_to_a_bound():
    assert 7 <= wait(PassingError("x", 7), 1) <= 7 + guarding.FIRST_WAIT
    assert wait(PassingError("x", 9999), 1) <= guarding.LONGEST_WAIT + guarding.FIRST_WAIT
