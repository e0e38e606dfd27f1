"""What a basket gets, and what became of each code that was entered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence
from unicodedata import normalize

from .combination import best_combination, stand_together
from .discounting import Applied, Goods, Nothing, apply, goods_of, nothing, reduced
from .errors import Refusal
from .promotion import Terms
from .text import normal_code, trim

Basket = Mapping[str, Any]
Discount = Mapping[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A promotion that may apply to a basket: brought by `codes`, as they were created, or automatic."""

    terms: Terms
    codes: Sequence[str]
    used: int
    used_by_customer: int


def customer_key(basket: Basket) -> str | None:
    """Whom limits per customer count: the account, or a guest's address in lower case without its `+tag`."""
    if basket["customerId"] or not basket["email"]:
        return basket["customerId"]
    mailbox, _, domain = trim(normalize("NFKC", basket["email"])).lower().rpartition("@")
    tag = mailbox.find("+", 1)
    return f"guest:{mailbox if tag < 0 else mailbox[:tag]}@{domain}"


def quote_basket(basket: Basket, candidates: Sequence[Candidate], now: int) -> dict[str, Any]:
    goods = goods_of(basket)
    outcomes = [(candidate, _closed(candidate, basket, now) or apply(candidate.terms, goods)) for candidate in candidates]
    granted = best_combination([outcome for _, outcome in outcomes if isinstance(outcome, Applied)], goods)

    def status(entered: str) -> Nothing | None:
        normal = normal_code(entered)
        for candidate, outcome in outcomes:
            if normal in map(normal_code, candidate.codes):
                return _left_out(normal, candidate, outcome, granted, goods)
        return nothing("unknown_code")

    bringing = {candidate.terms.id: _bringing(candidate) for candidate in candidates}
    return {
        "discounts": [_discount(applied, bringing[applied.terms.id], goods) for applied in granted],
        "codes": [_code_status(entered, status(entered)) for entered in basket["codes"]],
    }


def _closed(candidate: Candidate, basket: Basket, now: int) -> Nothing | None:
    """Why a promotion is not open to this basket, whatever is in it."""
    draft, window = candidate.terms.draft, candidate.terms.window
    if not draft["active"]:
        return nothing("paused")
    if window.starts_at is not None and now < window.starts_at:
        return nothing("not_started")
    if window.ends_at is not None and now >= window.ends_at:
        return nothing("ended")
    if draft["currency"] not in (None, basket["currency"]):
        return nothing("currency_mismatch", currency=draft["currency"])
    if draft["totalLimit"] is not None and candidate.used >= draft["totalLimit"]:
        return nothing("limit_reached")
    if draft["perCustomerLimit"] is None:
        return None
    if customer_key(basket) is None:
        return nothing("customer_required")
    return nothing("customer_limit_reached") if candidate.used_by_customer >= draft["perCustomerLimit"] else None


def _left_out(
    entered: str, candidate: Candidate, outcome: Applied | Nothing, granted: Sequence[Applied], goods: Goods
) -> Nothing | None:
    """Why an entered code takes nothing off; None when it does."""
    if isinstance(outcome, Nothing):
        return outcome
    terms = candidate.terms
    if any(applied.terms.id == terms.id for applied in granted):
        return None if entered == normal_code(_bringing(candidate) or "") else nothing("not_combinable")
    if not stand_together([*(applied.terms for applied in granted), terms]):
        return nothing("not_combinable")
    afterwards = apply(terms, reduced(goods, [applied for applied in granted if applied.terms.lowers == "item"]))
    return afterwards if isinstance(afterwards, Nothing) else nothing("not_combinable")


def _bringing(candidate: Candidate) -> str | None:
    """Of several codes of one promotion, the first in the alphabet (by UTF-16, like everywhere in Kerf) brings it."""
    return min(candidate.codes, key=lambda code: normal_code(code).encode("utf-16-be"), default=None)


def _discount(applied: Applied, code: str | None, goods: Goods) -> dict[str, Any]:
    shares = applied.shares if applied.terms.lowers != "shipping" else []
    lines = [{"lineId": line.line_id, "amount": share} for line, share in zip(goods.lines, shares) if share > 0]
    return {
        "promotionId": applied.terms.id,
        "name": applied.terms.draft["name"],
        "class": applied.terms.lowers,
        "code": code,
        "amount": applied.amount,
        "lines": lines,
    }


def _code_status(entered: str, why_not: Nothing | None) -> dict[str, Any]:
    return {
        "code": entered,
        "applied": why_not is None,
        "reason": why_not.reason if why_not else None,
        "message": why_not.message if why_not else "",
    }


def assert_unchanged(quote: Mapping[str, Any], discounts: Sequence[Discount]) -> None:
    if not same_discounts(quote["discounts"], discounts):
        raise Refusal("conflict", "discount_changed", "The discounts of this basket have changed in the meantime.", {"quote": quote})


def same_discounts(some: Sequence[Discount], others: Sequence[Discount]) -> bool:
    """The same promotions with the same shares: names and spellings do not matter, nor does the order."""

    def fingerprint(discounts: Sequence[Discount]) -> list[Any]:
        return sorted(
            (discount["promotionId"], discount["amount"], sorted((line["lineId"], line["amount"]) for line in discount["lines"]))
            for discount in discounts
        )

    return fingerprint(some) == fingerprint(others)
