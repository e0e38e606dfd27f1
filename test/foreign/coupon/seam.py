"""What stands behind each path of the seam: who may use it, what its input must be, what it does. HTTP is in server.py."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Callable, Mapping

from .errors import Undeliverable
from .schema import Checker, Schema, Violation
from .service import EVENT, LISTENS, Coupon, handle
from .store import Store
from .tokens import Tokens

MODULE = "coupon"
PREFIX = f"/seam/v1/{MODULE}/"
CALLERS = frozenset({"order", "edge"})
PUBLISHERS = frozenset({"order"})


@dataclass(frozen=True)
class Resource:
    http_method: str
    allowed: frozenset[str]
    #: of the body as text, the caller, and the instant (monotonic, in seconds) at which the caller waits no longer
    run: Callable[[str, str, float], Any]


class Seam:
    def __init__(self, contract: Mapping[str, Any], coupon: Coupon, store: Store, tokens: Tokens):
        if set(contract["methods"]) != set(coupon.methods):
            raise ValueError("contract.json has other methods than service.py: write those that are missing.")
        self.hash = contract["hash"]
        self._tokens = tokens
        self._store = store
        self._checker = Checker(contract)
        self._resources = {
            **{name: Resource("POST", CALLERS, self._method(coupon, name, method)) for name, method in contract["methods"].items()},
            "-/events": Resource("POST", PUBLISHERS, self._take_in),
            "-/contract": Resource("GET", CALLERS | PUBLISHERS, lambda _body, _caller, _deadline: contract),
        }

    def resource_at(self, path: str) -> Resource:
        if path.startswith(PREFIX):
            resource = self._resources.get(path[len(PREFIX) :])
            if resource:
                return resource
            raise Undeliverable("unknown_method")
        raise Undeliverable("unknown_module")

    def admit(self, authorization: str, resource: Resource) -> str:
        """The name of the caller."""
        scheme, _, token = authorization.partition(" ")
        caller = self._tokens.caller_of(token) if scheme.lower() == "bearer" else None
        if caller is None:
            raise Undeliverable("caller_unknown")
        if caller not in resource.allowed:
            raise Undeliverable("caller_refused")
        return caller

    def _method(self, coupon: Coupon, name: str, method: Mapping[str, Any]) -> Callable[[str, str, float], Any]:
        run = coupon.methods[name]

        def call(body: str, _caller: str, deadline: float) -> Any:
            data = self._parse(method["input"], body)
            with self._store.read() if method["kind"] == "read" else self._store.write(deadline - time.monotonic()) as db:
                _assert_time_left(deadline)
                return run(db, data)

        return call

    def _take_in(self, body: str, caller: str, deadline: float) -> Any:
        event = self._parse(EVENT, body)
        if event["type"].split(".")[0] != caller:
            raise Undeliverable("caller_refused")
        if event["type"] in LISTENS:
            data = self._check(LISTENS[event["type"]], event["data"])
            with self._store.write(deadline - time.monotonic()) as db:
                _assert_time_left(deadline)
                handle(db, event["id"], event["type"], data)
        return {}

    def _parse(self, schema: Schema, body: str) -> Any:
        try:
            data = json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise Undeliverable("contract_violation", f"The body is not JSON: {error}") from None
        return self._check(schema, data)

    def _check(self, schema: Schema, data: Any) -> Any:
        try:
            return self._checker.parse(schema, data)
        except Violation as violation:
            raise Undeliverable("contract_violation", str(violation)) from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _assert_time_left(deadline: float) -> None:
    if time.monotonic() >= deadline:
        raise Undeliverable("deadline_exceeded")
