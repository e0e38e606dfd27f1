"""Who calls: docs/seam-protocol.md, Who calls."""

from __future__ import annotations

import hmac
import json
import re
import time
from base64 import urlsafe_b64decode
from functools import lru_cache
from typing import Any, Callable, Mapping

from . import ed25519

SKEW = 30
LONGEST_LIFE = 60
MOST_KNOWN = 1_000

_TOKEN = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII)


#: the public key of a module; KeyError when it has none
Keys = Callable[[str], bytes]


def derived_keys(secret: str) -> Keys:
    """The keys that follow from an installation's secret."""

    @lru_cache(maxsize=100)
    def key_of(module: str) -> bytes:
        return ed25519.public_key(hmac.digest(secret.encode(), f"service key {module}".encode(), "sha256"))

    return key_of


def keys_of_set(key_set: Mapping[str, Any]) -> Keys:
    """The keys of a JSON Web Key Set (RFC 8037), each under the name of its module, `kid`."""
    keys = [key for key in key_set["keys"] if key["kty"] == "OKP" and key["crv"] == "Ed25519"]
    return {key["kid"]: _bytes(key["x"]) for key in keys}.__getitem__


class Tokens:
    """Tells callers by their tokens. Checking a signature takes milliseconds, so good ones are remembered while they live."""

    def __init__(self, audience: str, keys: Keys, now: Callable[[], float] = time.time):
        self._audience = audience
        self._keys = keys
        self._now = now
        self._known: dict[str, tuple[str, float]] = {}

    def caller_of(self, token: str) -> str | None:
        """The calling module, or None for a token that is no good here."""
        caller, until = self._known.get(token, ("", 0.0))
        if self._now() < until:
            return caller
        try:
            caller, until = self._read(token)
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[token] = (caller, until)
        return caller

    def _read(self, token: str) -> tuple[str, float]:
        parts = _TOKEN.fullmatch(token)
        _require(parts is not None)
        header, claims = json.loads(_bytes(parts[1])), json.loads(_bytes(parts[2]))
        _require(header["alg"] == "EdDSA" and header["typ"] == "kerf-service+jwt" and "crit" not in header)
        _require(claims["iss"] == header["kid"] and claims["aud"] == self._audience)
        issued, expires = claims["iat"], claims["exp"]
        _require(type(issued) in (int, float) and type(expires) in (int, float))
        _require(issued - SKEW <= self._now() < expires + SKEW and expires - issued <= LONGEST_LIFE)
        signed = token.rpartition(".")[0].encode()
        _require(ed25519.verify(self._keys(header["kid"]), signed, _bytes(parts[3])))
        return claims["iss"], expires + SKEW


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("not a token for this module")
