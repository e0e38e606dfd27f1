"""What one promotion takes off a basket, and from which lines: docs/rules.md, Money and Discounts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Mapping, Sequence

from .money import allocate, format_amount, percent_of
from .promotion import Terms

SENTENCES = {
    "unknown_code": "There is no such code.",
    "not_started": "This code is not valid yet.",
    "ended": "This code has ended.",
    "paused": "This code cannot be used at the moment.",
    "currency_mismatch": "This code is for baskets in {currency}.",
    "no_eligible_items": "Nothing in the basket takes part in this offer.",
    "minimum_not_reached": "Add goods for {missing} {currency} more to use this code.",
    "limit_reached": "This code has been used up.",
    "customer_limit_reached": "You have used this code as often as it allows.",
    "customer_required": "Sign in or give your e-mail address to use this code.",
    "not_combinable": "This code does not combine with the better discount that the basket has.",
    "nothing_to_discount": "There is nothing left that this code could take off.",
}


@dataclass(frozen=True)
class Nothing:
    """Why a promotion takes nothing off: for machines, and for the shopper."""

    reason: str
    message: str


def nothing(reason: str, **words: str) -> Nothing:
    return Nothing(reason, SENTENCES[reason].format(**words))


@dataclass(frozen=True)
class Line:
    line_id: str
    product_id: str
    category_ids: frozenset[str]
    amount: int


@dataclass(frozen=True)
class Goods:
    """What can be discounted: merchandise as far as earlier discounts have left it, and the shipping fee."""

    currency: str
    lines: tuple[Line, ...]
    shipping: int

    @property
    def merchandise(self) -> int:
        return sum(line.amount for line in self.lines)


def goods_of(basket: Mapping[str, Any]) -> Goods:
    lines = (
        Line(line["lineId"], line["productId"], frozenset(line["categoryIds"]), line["unitPrice"] * line["quantity"])
        for line in basket["lines"]
    )
    return Goods(basket["currency"], tuple(lines), basket["shipping"])


@dataclass(frozen=True)
class Applied:
    """A promotion at work: `amount` is taken from `bases`, one sum per line of the goods; from no lines for shipping."""

    terms: Terms
    amount: int
    bases: tuple[int, ...]

    @property
    def base(self) -> int:
        return sum(self.bases)

    @property
    def shares(self) -> list[int]:
        """The part of each line: they add up to the amount, and no line gives more than its base."""
        return allocate(self.amount, self.bases)


def total(discounts: Sequence[Applied]) -> int:
    return sum(discount.amount for discount in discounts)


def apply(terms: Terms, goods: Goods) -> Applied | Nothing:
    eligible = [_is_eligible(line, terms.draft["scope"]) for line in goods.lines]
    if not any(eligible):
        return nothing("no_eligible_items")
    missing = terms.draft["minimumSpend"] - goods.merchandise
    if missing > 0:
        return nothing("minimum_not_reached", missing=format_amount(missing, goods.currency), currency=goods.currency)
    if terms.lowers == "shipping":
        bases, base = (), goods.shipping
    else:
        bases = tuple(line.amount if fits else 0 for line, fits in zip(goods.lines, eligible))
        base = sum(bases)
    amount = benefit_of(terms.draft["benefit"], base)
    return Applied(terms, amount, bases) if amount > 0 else nothing("nothing_to_discount")


def _is_eligible(line: Line, scope: Mapping[str, list[str]]) -> bool:
    """Empty lists mean every item; exclusions win."""

    def named(products: list[str], categories: list[str]) -> bool:
        return line.product_id in products or not line.category_ids.isdisjoint(categories)

    if named(scope["excludedProductIds"], scope["excludedCategoryIds"]):
        return False
    everything = not scope["productIds"] and not scope["categoryIds"]
    return everything or named(scope["productIds"], scope["categoryIds"])


def benefit_of(benefit: Mapping[str, Any], base: int) -> int:
    """Off the base as a whole, rounded once, never more than is there. The whole is the whole, however it is rounded."""
    if benefit["kind"] == "free_shipping":
        return base
    if benefit["kind"] == "fixed":
        return min(benefit["amount"], base)
    share = base
    if benefit["basisPoints"] < 10_000:
        share = percent_of(base, benefit["basisPoints"], benefit["roundTo"], benefit["rounding"])
    return min(share, base, base if benefit["cap"] is None else benefit["cap"])


def reduced(goods: Goods, discounts: Sequence[Applied]) -> Goods:
    """The goods with these discounts taken off their lines."""
    taken = [sum(shares) for shares in zip(*(discount.shares for discount in discounts))] or [0] * len(goods.lines)
    return replace(goods, lines=tuple(replace(line, amount=line.amount - off) for line, off in zip(goods.lines, taken)))
