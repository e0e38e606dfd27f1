"""A promotion: what staff wrote, when it is on, and what contradicts itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Iterator, Mapping

from .errors import Refusal
from .text import normal_code, read_instant, start_of_day

Draft = Mapping[str, Any]


@dataclass(frozen=True)
class Window:
    """`[starts_at, ends_at)` in milliseconds; None: always was, always will be."""

    starts_at: int | None
    ends_at: int | None


@dataclass(frozen=True)
class Terms:
    """A promotion as it is applied to baskets."""

    id: str
    draft: Draft
    window: Window

    @property
    def lowers(self) -> str:
        """Its class: item, order or shipping."""
        return self.draft["class"]

    @property
    def rank(self) -> tuple[int, str]:
        """Breaks ties: the higher priority first, then the lower id."""
        return (-self.draft["priority"], self.id)


def window_of(draft: Draft, zone: tzinfo) -> Window:
    """A day starts at its beginning in the shop's zone and ends at its end; an instant is what it is."""

    def instant(moment: str | None, days_later: int) -> int | None:
        if moment is None:
            return None
        return read_instant(moment) if "T" in moment else start_of_day(moment, zone, days_later)

    return Window(instant(draft["startsAt"], 0), instant(draft["endsAt"], 1))


def assert_consistent(draft: Draft, window: Window) -> None:
    _refuse([{"path": path, "message": message} for path, message in _contradictions(draft, window)])


def assert_still_brought(before: Draft, draft: Draft) -> None:
    """Taking the last code off would give the promotion to everybody at once."""
    if before["codes"] and not draft["codes"] and draft["active"]:
        message = "Without its last code it would apply to every basket: pause it, or make an automatic one."
        _refuse([{"path": "codes", "message": message}])


def _refuse(errors: list[dict[str, str]]) -> None:
    if errors:
        raise Refusal("invalid", "promotion_inconsistent", errors[0]["message"], {"errors": errors})


def _contradictions(draft: Draft, window: Window) -> Iterator[tuple[str, str]]:
    benefit = draft["benefit"]
    if (draft["class"] == "shipping") != (benefit["kind"] == "free_shipping"):
        yield "class", "Free shipping goes with class shipping, and class shipping with nothing else."
    if draft["currency"] is None:
        if benefit["kind"] == "fixed":
            yield "currency", "A fixed sum needs a currency."
        if benefit.get("cap") is not None:
            yield "currency", "A cap needs a currency."
        if draft["minimumSpend"] > 0:
            yield "currency", "A minimum spend needs a currency."
    if window.starts_at is not None and window.ends_at is not None and window.starts_at >= window.ends_at:
        yield "endsAt", "It must end after it starts."
    seen = set()
    for index, code in enumerate(draft["codes"]):
        if normal_code(code) in seen:
            yield f"codes.{index}", f"The code {code} is there twice."
        seen.add(normal_code(code))
