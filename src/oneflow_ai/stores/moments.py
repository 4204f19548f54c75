"""Moments as the database keeps them: whole microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def as_microseconds(moment: datetime) -> int:
    """An aware moment as microseconds, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def as_moment(microseconds: int) -> datetime:
    """Microseconds as an aware moment, UTC, exactly."""
    return _EPOCH + timedelta(microseconds=microseconds)
