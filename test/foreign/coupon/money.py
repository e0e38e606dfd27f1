"""Sums in whole minor units: docs/rules.md, Money."""

from __future__ import annotations

from typing import Sequence

DECIMAL_PLACES = {"KRW": 0, "JPY": 0, "USD": 2, "EUR": 2}


def percent_of(base: int, basis_points: int, unit: int, rounding: str) -> int:
    """Rounded once to whole `unit`s, half away from zero unless `rounding` is floor."""
    numerator, denominator = base * basis_points, 10_000 * unit
    units = numerator // denominator if rounding == "floor" else (2 * numerator + denominator) // (2 * denominator)
    return units * unit


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """`total` spread over `weights` by largest remainder, ties to the earlier one: the parts add up to it exactly."""
    if not any(weights):
        return [0] * len(weights)
    shares, remainders = zip(*(divmod(total * weight, sum(weights)) for weight in weights))
    parts = list(shares)
    neediest = sorted(range(len(parts)), key=lambda index: -remainders[index])
    for index in neediest[: total - sum(parts)]:
        parts[index] += 1
    return parts


def format_amount(amount: int, currency: str) -> str:
    places = DECIMAL_PLACES[currency]
    whole, fraction = divmod(amount, 10**places)
    return f"{whole}.{fraction:0{places}}" if places else str(whole)
