from harness.parsing import Reading


def test_reading_read_has_a_value_and_no_reason():
    assert Reading.read(frozenset[int]()) == (frozenset(), None)


def test_reading_unreadable_has_a_reason_and_no_value():
    reading: Reading[str] = Reading.unreadable("empty")
    assert (reading.value, reading.reason) == (None, "empty")
