"""One use of a promotion by one order: `reserved → consumed | released`, `consumed → returned`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Redemption:
    order_id: str
    promotion_id: str
    customer_key: str | None
    code: str | None
    amount: int
    lines: list[dict[str, Any]]
    expires_at: int
    #: when the promotion ends
    ends_at: int | None
    state: str = "reserved"
    consumed_at: int | None = None
    released_at: int | None = None
    returned_at: int | None = None

    @property
    def is_settled(self) -> bool:
        """The order has been placed: what it was granted stands, whatever became of it since."""
        return self.state in ("consumed", "returned")

    def is_reserved(self, now: int) -> bool:
        """A reservation that ran out counts no more from that instant on, whether or not it was written down."""
        return self.state == "reserved" and self.expires_at > now

    def as_discount(self) -> dict[str, Any]:
        return {"promotionId": self.promotion_id, "amount": self.amount, "lines": self.lines}


def consume(redemption: Redemption, at: int) -> Redemption:
    """The order was placed with this discount, so this is a use of it: also when the reservation had run out by then."""
    return redemption if redemption.is_settled else replace(redemption, state="consumed", consumed_at=at, released_at=None)


def release(redemption: Redemption, at: int) -> Redemption:
    return replace(redemption, state="released", released_at=at) if redemption.state == "reserved" else redemption


def cancel(redemption: Redemption, was_placed: bool, at: int) -> Redemption:
    """
    The whole order is cancelled. One that was placed gives the use back unless the promotion has ended by then; that it
    was placed may become known only afterwards, and changes nothing any more.
    """
    if not was_placed:
        return release(redemption, at)
    consumed = consume(redemption, at)
    ended = consumed.ends_at is not None and at >= consumed.ends_at
    return consumed if consumed.state == "returned" or ended else replace(consumed, state="returned", returned_at=at)
