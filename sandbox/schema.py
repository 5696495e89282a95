"""The smallest value that satisfies a JSON schema, as far as providers let schemas go.

Known and left out: `pattern`, `not`, `if`, `dependentRequired`, references out of the document.
"""

from typing import Any

from sandbox.messages import Json

NULL_FROM_DEPTH = 4
"""From here on what may be null is null: a tree that refers to itself must end."""
MAX_DEPTH = 16
"""And here it ends in any case."""
MAX_REPEATS = 1000

_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def smallest_value(schema: object) -> object:
    """Make the smallest value that `schema` accepts; for an empty schema or none, `{}`.

    Raises: AttributeError, KeyError, TypeError or ValueError, for what is no schema.
    """
    root = schema if isinstance(schema, dict) else {}
    return _value(root, root, 0)


def _value(schema: Json, root: Json, depth: int) -> object:
    schema = _resolved(schema, root, depth)
    if depth > MAX_DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = "null" if "null" in kind and depth >= NULL_FROM_DEPTH else kind[0]
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        count = min(schema.get("minItems", 0), MAX_REPEATS)
        return [_value(schema.get("items", {}), root, depth + 1)] * count
    return _scalar(kind, schema)


def _resolved(schema: Json, root: Json, depth: int) -> Json:
    """Follow `$ref`, take a branch of `anyOf` or `oneOf`, and merge `allOf`."""
    for _ in range(MAX_DEPTH):
        if "$ref" in schema:
            schema = _target(schema["$ref"], root)
        elif branches := schema.get("anyOf") or schema.get("oneOf"):
            nulls = [branch for branch in branches if branch.get("type") == "null"]
            schema = nulls[0] if nulls and depth >= NULL_FROM_DEPTH else branches[0]
        elif parts := schema.get("allOf"):
            schema = _merged([{**schema, "allOf": []}, *(_resolved(p, root, depth) for p in parts)])
        else:
            break
    return schema


def _target(reference: str, root: Json) -> Json:
    found: Any = root
    for name in reference.removeprefix("#").split("/")[1:]:
        found = found.get(name.replace("~1", "/").replace("~0", "~"), {})
    return found if isinstance(found, dict) else {}


def _merged(parts: list[Json]) -> Json:
    merged: Json = {}
    for part in parts:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*merged.get("required", []), *part.get("required", [])]
        merged = {**merged, **part, "properties": properties, "required": required}
    return merged


def _object(schema: Json, root: Json, depth: int) -> Json:
    properties = schema.get("properties", {})
    names = dict.fromkeys(schema.get("required", []))
    return {
        name: _value(properties.get(name, {"type": "string"}), root, depth + 1) for name in names
    }


def _scalar(kind: str, schema: Json) -> object:
    if kind == "string":
        value = _FORMATS.get(schema.get("format", ""), "text")
        return value.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return _number(kind, schema)
    if kind != "null":
        raise ValueError(f"no JSON type is called {kind!r}")
    return None


def _number(kind: str, schema: Json) -> int | float:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    value: int | float = 0
    if low is not None and low > value:
        value = low
    if above is not None and above >= value:
        value = above + 1
    if high is not None and high < value:
        value = high
    if below is not None and below <= value:
        value = below - 1
    step = schema.get("multipleOf")
    if step:
        value = -(-value // step) * step
    return int(value) if kind == "integer" else value
