"""Which promotions together take the most off. Depends on nothing but the promotions and the goods."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain, combinations
from typing import Any, Iterable, Iterator, Sequence

from .discounting import Applied, Goods, apply, benefit_of, reduced, total
from .promotion import Terms

Combination = Sequence[Applied]

#: of item promotions that mix, so many of the strongest take part in the search (256 selections)
MOST_MIXED = 8


def best_combination(offers: Sequence[Applied], goods: Goods) -> Combination:
    """Ties go to fewer promotions, then by rank. An exclusive one wins only if it gives more than all others together."""
    together = _best(_combinations([offer for offer in offers if not offer.terms.draft["exclusive"]], goods))
    alone = _best([offer] for offer in offers if offer.terms.draft["exclusive"])
    return alone if total(alone) > total(together) else together


def stand_together(promotions: Sequence[Terms]) -> bool:
    """Each must allow the class of each other."""
    return all(_combine(one, other) for one, other in combinations(promotions, 2))


def _combine(one: Terms, other: Terms) -> bool:
    if one.draft["exclusive"] or other.draft["exclusive"]:
        return False
    return other.lowers in one.draft["combinesWith"] and one.lowers in other.draft["combinesWith"]


def _best(found: Iterable[Combination]) -> Combination:
    def merit(combination: Combination) -> tuple[Any, ...]:
        return (-total(combination), len(combination), sorted(applied.terms.rank for applied in combination))

    return min(found, key=merit, default=[])


def _combinations(offers: Combination, goods: Goods) -> Iterator[Combination]:
    """Item discounts first, then at most one for the order on what they leave, and at most one for shipping."""
    for selection in _selections([offer for offer in offers if offer.terms.lowers == "item"]):
        on_items = _share_lines(selection, goods)
        if on_items is None or not stand_together(_terms(on_items)):
            continue
        left = reduced(goods, on_items)

        def none_or_one(lowers: str) -> list[list[Applied]]:
            rest = (apply(offer.terms, left) for offer in offers if offer.terms.lowers == lowers)
            applied = [one for one in rest if isinstance(one, Applied)]
            return [[], *([one] for one in applied if stand_together([*_terms(on_items), one.terms]))]

        on_shipping = none_or_one("shipping")
        for on_order in none_or_one("order"):
            for last in on_shipping:
                if stand_together(_terms([*on_order, *last])):
                    yield [*on_items, *on_order, *last]


def _selections(offers: Combination) -> Iterator[Combination]:
    """Sets of item promotions worth trying: none, each one alone, and all mixtures of those that mix."""
    mixing = [offer for offer in offers if "item" in offer.terms.draft["combinesWith"]]
    strongest = sorted(mixing, key=lambda offer: (-offer.amount, offer.terms.rank))[:MOST_MIXED]
    yield from chain.from_iterable(combinations(strongest, size) for size in range(len(strongest) + 1))
    yield from ([offer] for offer in offers if offer not in strongest)


def _share_lines(offers: Combination, goods: Goods) -> list[Applied] | None:
    """
    Gives each line to the promotion that takes the largest part off it. None when one of them is left with nothing, or
    with too little spent: a minimum is measured after the item discounts of all the others.
    """
    taken: set[int] = set()
    shared = []
    for offer in sorted(offers, key=lambda offer: (-Fraction(offer.amount, offer.base), offer.terms.rank)):
        own = tuple(0 if index in taken else base for index, base in enumerate(offer.bases))
        taken.update(index for index, base in enumerate(own) if base > 0)
        shared.append(Applied(offer.terms, benefit_of(offer.terms.draft["benefit"], sum(own)), own))
    spent = goods.merchandise - total(shared)
    holds = all(one.amount > 0 and spent + one.amount >= one.terms.draft["minimumSpend"] for one in shared)
    return shared if holds else None


def _terms(combination: Combination) -> list[Terms]:
    return [applied.terms for applied in combination]
