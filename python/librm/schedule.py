"""Schedules as the batch front end reads them, without a cluster. Needs the native module."""

from __future__ import annotations

import datetime
import zoneinfo

from .errors import LibrmError
from .local import _native

COUNT_MAX = 1_000_000
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def occurrences(expression: str, tz: str | None = None, n: int = 5,
                since: datetime.datetime | None = None) -> list[datetime.datetime]:
    """The first `n` moments (0 to a million) at which an ISO 8601 repeating interval is due, from
    `since` on, which must have a time zone.

        >>> occurrences("R/2024-01-31T02:00/P1M", tz="Europe/Prague", n=2)[1].isoformat()
        '2024-02-29T02:00:00+01:00'

    The k-th is start + k x period: days and longer on the clock of the zone, hours and shorter in
    time. An empty start is now. With `tz`, an IANA name, they are in that zone, whose clock shows
    the start as written; else in UTC. Moments are cut to microseconds. Fewer than `n` where the
    interval ends.

    Raises LibrmError (`invalid_argument`) with the position of what is wrong.
    """
    if not 0 <= n <= COUNT_MAX:
        raise LibrmError("invalid_argument", f"n: need 0 to {COUNT_MAX}, have {n}")
    since_ns = None
    if since is not None:
        if since.tzinfo is None:
            raise LibrmError("invalid_argument", "since: need a time with a time zone")
        since_ns = (since - _EPOCH) // datetime.timedelta(microseconds=1) * 1000
    instants = _native().occurrences(expression, tz or "", n, since_ns)
    zone = zoneinfo.ZoneInfo(tz) if tz else datetime.timezone.utc
    return [(_EPOCH + datetime.timedelta(microseconds=ns // 1000)).astimezone(zone)
            for ns in instants]
