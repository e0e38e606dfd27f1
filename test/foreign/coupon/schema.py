"""Checks data against the JSON Schemas of a contract, and gives back what it stands for: defaults filled in, text rewritten."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Callable, Mapping

from .text import trim, utf16_length

Schema = Mapping[str, Any]

#: half a character, which JSON can spell and nothing can keep
LONE_SURROGATE = re.compile("[\ud800-\udfff]")

TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str) and not LONE_SURROGATE.search(value),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
}

#: how text is changed before it is looked at; a step of None only checks, which the rest of the schema does as well
REWRITES: dict[str, Callable[[str], str] | None] = {"trim": trim, "toLowerCase": str.lower, "string_format uuid": None}

LIMITS: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "minLength": lambda value, limit: utf16_length(value) >= limit,
    "maxLength": lambda value, limit: utf16_length(value) <= limit,
    "minItems": lambda value, limit: len(value) >= limit,
    "maxItems": lambda value, limit: len(value) <= limit,
    "pattern": lambda value, pattern: bool(compiled(pattern).search(value)),
    "enum": lambda value, allowed: value in allowed,
    "const": lambda value, allowed: value == allowed,
}

KNOWN = {"$ref", "type", "anyOf", "oneOf", "properties", "required", "additionalProperties", "items", "default", "format", "x-rewrites", *LIMITS}


class Violation(Exception):
    def __init__(self, path: str, problem: str):
        super().__init__(f"{path or 'The body'}: {problem}")


class Checker:
    """One contract's schemas. A keyword that it does not know is an error at once, not a hole."""

    def __init__(self, contract: Mapping[str, Any]):
        self._contract = contract
        for method in contract["methods"].values():
            self._assert_known(method["input"])
        for schema in contract["$defs"]["input"].values():
            self._assert_known(schema)

    def parse(self, schema: Schema, value: Any, path: str = "") -> Any:
        if "$ref" in schema:
            value = self.parse(self._resolve(schema["$ref"]), value, path)
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                value = self._first_fit(schema[choice], value, path)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        wanted = schema.get("type", [])
        wanted = [wanted] if isinstance(wanted, str) else wanted
        if wanted and not any(TYPES[name](value) for name in wanted):
            raise Violation(path, f"must be {' or '.join(wanted)}")
        for step in schema.get("x-rewrites", []):
            rewrite = REWRITES[step]
            value = rewrite(value) if rewrite else value
        for keyword, fits in LIMITS.items():
            if keyword in schema and not fits(value, schema[keyword]):
                raise Violation(path, f"is not within {keyword} {schema[keyword]}")
        if isinstance(value, dict) and "properties" in schema:
            return self._parse_object(schema, value, path)
        if isinstance(value, list) and "items" in schema:
            return [self.parse(schema["items"], item, f"{path}[{index}]") for index, item in enumerate(value)]
        return value

    def _parse_object(self, schema: Schema, value: Mapping[str, Any], path: str) -> dict[str, Any]:
        """Only what the contract knows: a field that it does not know is ignored, unless the object is closed."""
        properties = schema["properties"]
        unknown = next((name for name in value if name not in properties), None)
        if unknown is not None and schema.get("additionalProperties") is False:
            raise Violation(path, f"has an unknown field {unknown!r}")
        parsed = {}
        for name, of_field in properties.items():
            where = f"{path}.{name}" if path else name
            if name in value:
                parsed[name] = self.parse(of_field, value[name], where)
            elif "default" in of_field:
                parsed[name] = of_field["default"]
            elif name in schema.get("required", []):
                raise Violation(where, "is missing")
        return parsed

    def _first_fit(self, choices: list[Schema], value: Any, path: str) -> Any:
        problems = []
        for choice in choices:
            try:
                return self.parse(choice, value, path)
            except Violation as violation:
                problems.append(violation)
        raise problems[0] if len(problems) == 1 else Violation(path, "fits none of the possible forms")

    def _resolve(self, reference: str) -> Schema:
        found: Any = self._contract
        for step in reference[2:].split("/"):
            found = found[step]
        return found

    def _assert_known(self, schema: Schema) -> None:
        unknown = set(schema) - KNOWN | set(schema.get("x-rewrites", [])) - set(REWRITES)
        if unknown:
            raise ValueError(f"The contract uses {', '.join(sorted(unknown))}, which the checker does not know: teach it.")
        nested = [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("properties", {}).values()]
        for inner in nested + ([schema["items"]] if "items" in schema else []):
            self._assert_known(inner)


@lru_cache(maxsize=None)
def compiled(pattern: str) -> re.Pattern[str]:
    """Patterns are ECMAScript's, where `$` is the very end and `\\d` ten digits."""
    return re.compile(re.sub(r"\$$", r"\\Z", pattern), re.ASCII)
