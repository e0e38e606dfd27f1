"""The contract's methods and the events it listens to. Each is a plain function of one transaction and an input that was checked."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from datetime import tzinfo
from itertools import groupby
from sqlite3 import Connection, Row
from typing import Any, Callable, Mapping

from . import store
from .errors import Refusal
from .promotion import Draft, Terms, assert_consistent, assert_still_brought, window_of
from .quote import assert_unchanged, customer_key, quote_basket, same_discounts
from .redemption import Redemption, cancel, consume, release
from .text import INSTANT, now, read_instant, write_instant

Input = Mapping[str, Any]
MOST_VIOLATIONS = 1_000

ID = {"$ref": "#/$defs/input/Id"}
AT = {"type": "string", "pattern": INSTANT}


def _schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


#: CloudEvents, as far as it matters here
EVENT = _schema(specversion={"const": "1.0"}, id=ID, type={"type": "string"}, data={"type": "object"})

#: what is read of each event that the module listens to
LISTENS = {
    "order.placed": _schema(orderId=ID, placedAt=AT),
    "order.cancelled": _schema(orderId=ID, wasPlaced={"type": "boolean"}, cancelledAt=AT),
    "order.expired": _schema(orderId=ID, expiredAt=AT),
}


def handle(db: Connection, event_id: str, type: str, data: Input) -> None:
    """What became of an order decides what became of its discounts; the instants are those of the order."""
    steps: dict[str, Callable[[Redemption], Redemption]] = {
        "order.placed": lambda use: consume(use, read_instant(data["placedAt"])),
        "order.cancelled": lambda use: cancel(use, data["wasPlaced"], read_instant(data["cancelledAt"])),
        "order.expired": lambda use: release(use, read_instant(data["expiredAt"])),
    }
    if store.is_new_event(db, event_id, now()):
        _step(db, data["orderId"], steps[type])


def _step(db: Connection, order_id: str, step: Callable[[Redemption], Redemption]) -> None:
    store.save_redemptions(db, map(step, store.redemptions_of(db, order_id)))


class Coupon:
    def __init__(self, zone: tzinfo):
        self._zone = zone
        #: by the names of the contract
        self.methods: dict[str, Callable[[Connection, Input], dict[str, Any]]] = {
            "quote": self.quote,
            "reserve": self.reserve,
            "release": self.release,
            "createPromotion": self.create_promotion,
            "updatePromotion": self.update_promotion,
            "getPromotion": self.get_promotion,
            "listPromotions": self.list_promotions,
            "audit": self.audit,
            "auditOwn": self.audit_own,
        }

    def quote(self, db: Connection, basket: Input) -> dict[str, Any]:
        at = now()
        return quote_basket(basket, store.find_candidates(db, basket, at), at)

    def reserve(self, db: Connection, reservation: Input) -> dict[str, Any]:
        at = now()
        order_id, basket, discounts = reservation["orderId"], reservation["basket"], reservation["discounts"]
        until = read_instant(reservation["expiresAt"])
        if not discounts:
            self._assert_unchanged(db, reservation, at)
            return {}
        own = store.redemptions_of(db, order_id)
        if any(use.is_settled for use in own):
            return {}
        reserved = [use for use in own if use.is_reserved(at)]
        if same_discounts([use.as_discount() for use in reserved], discounts):
            store.save_redemptions(db, (replace(use, expires_at=max(use.expires_at, until)) for use in reserved))
            return {}

        self._assert_unchanged(db, reservation, at)
        taken = [
            Redemption(order_id, one["promotionId"], customer_key(basket), one["code"], one["amount"], one["lines"], until, None)
            for one in discounts
        ]
        store.save_redemptions(db, [*(release(use, at) for use in own), *taken])
        return {}

    def _assert_unchanged(self, db: Connection, reservation: Input, at: int) -> None:
        """Only the last look at a code counts: this one, while nobody else can take a use."""
        basket = reservation["basket"]
        candidates = store.find_candidates(db, basket, at, reservation["orderId"])
        assert_unchanged(quote_basket(basket, candidates, at), reservation["discounts"])

    def release(self, db: Connection, order: Input) -> dict[str, Any]:
        at = now()
        _step(db, order["orderId"], lambda use: release(use, at))
        return {}

    def create_promotion(self, db: Connection, wanted: Input) -> dict[str, Any]:
        terms = self._consistent(wanted)
        if store.find_promotion(db, terms.id, now()) is None:
            self._save(db, terms, version=1)
        return self._get(db, terms.id)

    def update_promotion(self, db: Connection, wanted: Input) -> dict[str, Any]:
        terms = self._consistent(wanted)
        before = self._get(db, terms.id)
        assert_still_brought(before, terms.draft)
        if before["version"] != wanted["version"]:
            message = "The promotion was changed in the meantime."
            raise Refusal("conflict", "version_mismatch", message, {"version": before["version"]})
        self._save(db, terms, wanted["version"] + 1)
        return self._get(db, terms.id)

    def _consistent(self, wanted: Input) -> Terms:
        draft: Draft = wanted["draft"]
        window = window_of(draft, self._zone)
        assert_consistent(draft, window)
        return Terms(wanted["id"], draft, window)

    def _save(self, db: Connection, terms: Terms, version: int) -> None:
        taken = store.save_promotion(db, terms, version, now())
        if taken:
            raise Refusal("conflict", "code_taken", f"The code {taken[0]} belongs to another promotion.", {"codes": taken})

    def get_promotion(self, db: Connection, wanted: Input) -> dict[str, Any]:
        return self._get(db, wanted["id"])

    def _get(self, db: Connection, promotion_id: str) -> dict[str, Any]:
        found = store.find_promotion(db, promotion_id, now())
        if found is None:
            raise Refusal("not_found", "not_found", "There is no such promotion.")
        return _promotion(found)

    def list_promotions(self, db: Connection, query: Input) -> dict[str, Any]:
        after = _read_cursor(query["cursor"]) if "cursor" in query else None
        found = store.list_promotions(db, query.get("code"), after, query["limit"] + 1, now())
        items = found[: query["limit"]]
        more = len(found) > len(items)
        return {"items": [_promotion(row) for row in items], "nextCursor": _cursor(items[-1]) if more else None}

    def audit(self, db: Connection, wanted: Input) -> dict[str, Any]:
        uses = store.find_redemptions(db, wanted["from"], wanted["limit"] + 1)
        facts = [{"orderId": order_id, "redemptions": [_facts(use) for use in own]} for order_id, own in groupby(uses, lambda use: use["order_id"])]
        following = facts[wanted["limit"] :]
        return {"items": facts[: wanted["limit"]], "next": following[0]["orderId"] if following else None}

    def audit_own(self, db: Connection, _: Input) -> dict[str, Any]:
        found = store.find_contradictions(db, MOST_VIOLATIONS)
        return {"violations": [{"invariant": invariant, "orderId": order_id, "message": message} for invariant, order_id, message in found]}


def _promotion(row: Row) -> dict[str, Any]:
    more = {"id": row["id"], "version": row["version"], "used": row["used"], "createdAt": write_instant(row["created_at"])}
    return {**json.loads(row["draft"]), **more}


def _facts(use: Row) -> dict[str, Any]:
    return {
        "promotionId": use["promotion_id"],
        "code": use["code"],
        "amount": use["amount"],
        "state": use["state"],
        "expiresAt": write_instant(use["expires_at"]),
    }


def _cursor(row: Row) -> str:
    return urlsafe_b64encode(f"{write_instant(row['created_at'])} {row['id']}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        created_at, promotion_id = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
        return read_instant(created_at), promotion_id
    except ValueError:
        raise Refusal("invalid", "invalid_cursor", "The cursor is not one of ours.") from None
