"""The moment up to which attempts count, as a teacher writes it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from lab.errors import UsageError

_WRITTEN = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<minute>[0-9]{2}:[0-9]{2})(?P<second>:[0-9]{2})?"
    r"(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_A_MOMENT = timedelta(microseconds=1)


def closing_moment(text: str) -> datetime:
    """The last moment that counts.

    What is not written is taken to its end: a day counts whole, and so does a minute and a second.
    Without a time zone it is this computer's time; an hour that comes twice, at the end of summer
    time, is the second one.

    Raises:
        UsageError: it is no such moment.
    """
    match = _WRITTEN.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        second = match["second"] or ":00"
        begin = datetime.fromisoformat(
            f"{match['day']}T{match['minute'] or '00:00'}{second}{match['zone'] or ''}"
        )
        end = begin + _span(match) - _A_MOMENT
        return end if end.tzinfo else max(end.replace(fold=fold).astimezone() for fold in (0, 1))
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{text!r} is not a moment",
            hint="Write it as 2026-11-30, 2026-11-30T23:59 or 2026-11-30T23:59+01:00.",
        ) from error


def _span(match: re.Match[str]) -> timedelta:
    if not match["minute"]:
        return timedelta(days=1)
    return timedelta(seconds=1) if match["second"] else timedelta(minutes=1)
