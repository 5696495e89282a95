"""Check a JSON value against a schema of an OpenAPI 3 document: the rules that chat needs."""

from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def violations(document: Schema, name: str, value: object) -> list[str]:
    """List what `value` has against the schema called `name`; undocumented properties count."""
    reference = {"$ref": f"#/components/schemas/{name}"}
    return list(_violations(document, reference, value, "$"))


def _violations(document: Schema, schema: Schema, value: object, where: str) -> list[str]:
    # The document writes `nullable` beside `$ref` too.
    if value is None and schema.get("nullable"):
        return []
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return _violations(document, schema, value, where)
    if branches := schema.get("anyOf") or schema.get("oneOf"):
        tried = [_violations(document, branch, value, where) for branch in branches]
        return [] if [] in tried else [f"{where}: no branch fits: {tried}"]
    found = _plain_violations(schema, value, where)
    for part in schema.get("allOf", []):
        found += _violations(document, part, value, where)
    return found + _inner_violations(document, schema, value, where)


def _inner_violations(document: Schema, schema: Schema, value: object, where: str) -> list[str]:
    found = []
    if isinstance(value, dict) and "properties" in schema:
        found += _object_violations(document, schema, value, where)
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += _violations(document, schema.get("items", {}), item, f"{where}[{index}]")
    return found


def _plain_violations(schema: Schema, value: object, where: str) -> list[str]:
    kind = schema.get("type")
    # Python's booleans are integers; JSON's are not.
    odd = isinstance(value, bool) and kind in ("integer", "number")
    if kind and (odd or not isinstance(value, _TYPES[kind])):
        return [f"{where}: {value!r} is no {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is not one of {schema['enum']}"]
    return []


def _object_violations(document: Schema, schema: Schema, value: Schema, where: str) -> list[str]:
    found = [
        f"{where}: {name} is missing" for name in schema.get("required", []) if name not in value
    ]
    for name, item in value.items():
        inner = schema["properties"].get(name)
        if inner is None:
            found.append(f"{where}: {name} is not documented")
        else:
            found += _violations(document, inner, item, f"{where}.{name}")
    return found
