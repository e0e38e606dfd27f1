"""The two kinds of answers that are not 200: docs/seam-protocol.md, Calls."""

from __future__ import annotations

from typing import Any

STATUS = {
    "invalid": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "rate_limited": 429,
    "internal": 500,
    "unavailable": 503,
}

PROTOCOL_STATUS = {
    "unknown_module": 404,
    "unknown_method": 404,
    "method_not_allowed": 405,
    "caller_unknown": 401,
    "caller_refused": 403,
    "too_large": 413,
    "unsupported_media_type": 415,
    "contract_violation": 422,
    "deadline_exceeded": 504,
}


class Refusal(Exception):
    """The module says no: `reason` is one that the contract lists."""

    def __init__(self, code: str, reason: str, message: str, details: dict[str, Any] | None = None):
        super().__init__(message)
        self.status = STATUS[code]
        self.body = {"code": code, "reason": reason, "message": message}
        if details is not None:
            self.body["details"] = details


class Undeliverable(Exception):
    """The call could not be handed on to the module."""

    def __init__(self, reason: str, message: str | None = None):
        super().__init__(message or f"The call could not be handed on: {reason}.")
        self.status = PROTOCOL_STATUS[reason]
        self.body = {"code": "protocol", "reason": reason, "message": str(self)}


def unavailable() -> Refusal:
    return Refusal("unavailable", "unavailable", "Please try again in a moment.")


def internal() -> Refusal:
    return Refusal("internal", "internal", "Something went wrong on our side.")
