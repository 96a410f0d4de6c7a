"""A deadline is taken to the end of what was written, in this computer's time unless it says another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.classroom.deadline import closing_moment
from lab.errors import UsageError

WINTER, SUMMER = timezone(timedelta(hours=1)), timezone(timedelta(hours=2))


@pytest.fixture(autouse=True)
def _madrid(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-11-30", datetime(2026, 11, 30, 23, 59, 59, 999_999, WINTER)),
        ("2026-07-01", datetime(2026, 7, 1, 23, 59, 59, 999_999, SUMMER)),
        ("2026-11-30T23:59", datetime(2026, 11, 30, 23, 59, 59, 999_999, WINTER)),
        ("2026-11-30 23:59", datetime(2026, 11, 30, 23, 59, 59, 999_999, WINTER)),
        (" 2026-11-30T23:59\n", datetime(2026, 11, 30, 23, 59, 59, 999_999, WINTER)),
        ("2026-11-30T23:59:30", datetime(2026, 11, 30, 23, 59, 30, 999_999, WINTER)),
        ("2026-11-30T23:59Z", datetime(2026, 11, 30, 23, 59, 59, 999_999, UTC)),
        ("2026-11-30T23:59:00-0500", datetime(2026, 12, 1, 4, 59, 0, 999_999, UTC)),
        ("2026-07-01T12:00+01:00", datetime(2026, 7, 1, 12, 0, 59, 999_999, WINTER)),
        # The day on which the clock is set is not 24 hours long.
        ("2026-10-25", datetime(2026, 10, 25, 23, 59, 59, 999_999, WINTER)),
        ("2026-03-29", datetime(2026, 3, 29, 23, 59, 59, 999_999, SUMMER)),
        # It comes twice, and counts to the end of the second one.
        ("2026-10-25T02:30", datetime(2026, 10, 25, 2, 30, 59, 999_999, WINTER)),
        # It never comes: the clock goes from 02:00 to 03:00.
        ("2026-03-29T02:30", datetime(2026, 3, 29, 2, 30, 59, 999_999, WINTER)),
    ],
)
def test_the_last_moment_that_counts(text: str, end: datetime) -> None:
    assert closing_moment(text) == end


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "soon",
            "30/11/2026",
            "2026-11",
            "20261130",
            "2026-W48-1",
            "2026-02-30",
            "2026-13-01",
        ),
        *("2026-11-30T24:00", "2026-11-30T23", "2026-11-30T23:59:61", "2026-11-30T23:59:30.5"),
        *("2026-11-30T23:59+25:00", "2026-11-30Z", "9999-12-31", "0000-01-01", "٢٠٢٦-11-30"),
    ],
)
def test_what_is_no_moment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="is not a moment") as caught:
        closing_moment(text)
    assert "2026-11-30T23:59" in caught.value.hint


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2})?"))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert closing_moment(text).tzinfo is not None
