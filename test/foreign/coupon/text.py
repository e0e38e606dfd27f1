"""Text and instants as Kerf writes, trims and compares them."""

from __future__ import annotations

import re
import time
from datetime import date, datetime, timedelta, timezone, tzinfo
from datetime import time as clock_time
from unicodedata import normalize

#: what `trim` takes off: white space and line ends of ECMAScript, which are not quite Python's
WHITE_SPACE = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

DAY = 86_400_000
EPOCH = date(1970, 1, 1).toordinal()


def trim(text: str) -> str:
    return text.strip(WHITE_SPACE)


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def normal_code(code: str) -> str:
    """What two spellings of a code are compared by: NFKC, trimmed, upper case."""
    return normalize("NFKC", trim(normalize("NFKC", code)).upper())


def now() -> int:
    """Milliseconds, like all instants here."""
    return time.time_ns() // 1_000_000


#: ISO 8601, to the second at least
INSTANT = (
    r"^(?P<day>\d{4}-\d\d-\d\d)T(?P<hours>\d\d):(?P<minutes>\d\d):(?P<seconds>\d\d)(?:\.(?P<fraction>\d+))?"
    r"(?:Z|(?P<sign>[+-])(?P<ahead_hours>\d\d):(?P<ahead_minutes>\d\d))$"
)


def read_instant(text: str) -> int:
    """An ISO 8601 instant in milliseconds; ValueError for anything else."""
    match = re.fullmatch(INSTANT, text, re.ASCII)
    if not match:
        raise ValueError(f"{text!r} is not an instant")
    part = match.groupdict()
    ahead = int(part["ahead_hours"] or 0) * 60 + int(part["ahead_minutes"] or 0)
    minutes = int(part["hours"]) * 60 + int(part["minutes"]) + (ahead if part["sign"] == "-" else -ahead)
    milliseconds = int((part["fraction"] or "0").ljust(3, "0")[:3])
    return (_ordinal(part["day"]) - EPOCH) * DAY + (minutes * 60 + int(part["seconds"])) * 1_000 + milliseconds


def write_instant(milliseconds: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def start_of_day(day: str, zone: tzinfo, days_later: int = 0) -> int:
    """The instant at which a day begins in a zone; where clocks repeat midnight, the first of the two."""
    ordinal = _ordinal(day) + days_later
    midnight = datetime.combine(date.fromordinal(min(ordinal, date.max.toordinal())), clock_time.min, zone)
    offset = midnight.utcoffset() or timedelta()
    return (ordinal - EPOCH) * DAY - offset // timedelta(milliseconds=1)


def _ordinal(day: str) -> int:
    """Days since Python's first one. The year 0, which Python does not have, is as long ago as the year 1."""
    year, month, day_of_month = (int(part) for part in day.split("-"))
    return date(max(year, 1), month, 28 if (year, month, day_of_month) == (0, 2, 29) else day_of_month).toordinal()
