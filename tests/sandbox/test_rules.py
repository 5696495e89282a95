"""The pure rules: tokens, and the smallest value of a schema."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.schema import smallest_value
from sandbox.text import compose, count_tokens, filler_tokens, tokens_of


@given(st.text())
def test_tokens_join_to_their_text(text: str) -> None:
    assert "".join(tokens_of(text)) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("four", 1), ("fiver", 2), ("a b", 2), ("a, b!", 4), ("  ", 1), ("Grüße 🌍", 3)],
)
def test_tokens_follow_the_rule(text: str, count: int) -> None:
    assert count_tokens(text) == count


def test_filler_has_the_tokens_it_says() -> None:
    assert tokens_of("".join(filler_tokens(50))) == filler_tokens(50)


@given(st.text(), st.integers(min_value=0, max_value=127))
def test_prose_is_the_same_for_the_same_prompt(prompt: str, variant: int) -> None:
    assert compose(prompt, variant) == compose(prompt, variant)


LIST: dict[str, Any] = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "required": ["next"],
            "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, {}),
        (None, {}),
        ({"const": 3}, 3),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": "string", "minLength": 6}, "textxx"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "integer", "minimum": 5, "multipleOf": 4}, 8),
        ({"type": "number", "maximum": -2}, -2),
        ({"type": "array", "minItems": 2, "items": {"type": "boolean"}}, [True, True]),
        ({"type": ["string", "null"]}, "text"),
        ({"type": "null"}, None),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 0),
        (
            {
                "allOf": [
                    {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "string"}}, "required": ["b"]},
                ]
            },
            {"a": 0, "b": "text"},
        ),
    ],
)
def test_smallest_value_satisfies_the_schema(schema: object, value: object) -> None:
    assert smallest_value(schema) == value


def test_schema_that_refers_to_itself_ends() -> None:
    depth, value = 0, smallest_value(LIST)
    while isinstance(value, dict):
        depth, value = depth + 1, value["next"]
    assert (depth, value) == (4, None)
