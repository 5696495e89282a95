"""Reading requests for embeddings and for realtime sessions, and bounding what they use."""

import json
import math
import random
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.embedding import (
    base64_of_numbers,
    decode_embedding,
    is_vector,
    numbers_of_base64,
    token_ceiling,
    token_estimate,
)
from gateway.operations.realtime import RealtimeRequest, RealtimeSecret, read_realtime
from studio.core.errors import InvalidRequest
from tests.gateway.chat_bodies import BAD_BODIES

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("given_", "ceiling", "estimate"),
    [
        ("x", 3, 1),
        ("Hello", 7, 2),
        ("é", 4, 1),
        ("🌍", 6, 1),
        (["a", "bc"], 7, 2),
        ([5, 6, 7], 3, 3),
        ([[5], [6, 7]], 3, 3),
    ],
)
def test_bytes_bound_a_text_and_tokens_count_as_they_are(
    given_: object, ceiling: int, estimate: int
) -> None:
    request = decode_embedding(json.dumps({"input": given_}).encode())
    assert token_ceiling(request).input_tokens == ceiling
    assert token_estimate(request).input_tokens == estimate


@given(st.lists(TEXTS, min_size=1, max_size=20))
def test_a_ceiling_is_never_below_the_estimate_nor_the_bytes(texts: list[str]) -> None:
    request = decode_embedding(json.dumps({"input": texts}).encode())
    ceiling = token_ceiling(request).input_tokens
    assert ceiling >= token_estimate(request).input_tokens
    assert ceiling >= sum(len(text.encode()) for text in texts)
    assert request.inputs == texts


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_base64_gives_the_very_numbers_back(numbers: list[float]) -> None:
    text = base64_of_numbers(numbers)
    assert text is not None
    back = numbers_of_base64(text)
    assert back is not None
    assert back.tolist() == numbers


@given(st.binary(max_size=64))
def test_what_is_read_from_base64_is_finite_or_nothing(data: bytes) -> None:
    numbers = numbers_of_base64(b64encode(data).decode())
    assert numbers is None or all(map(math.isfinite, numbers))


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_one_number_that_is_not_finite_spoils_a_vector(odd: float) -> None:
    chance = random.Random(1)  # noqa: S311  it picks places, no secrets
    for length in (1, 2, 1536):
        numbers = [chance.uniform(-1, 1) for _ in range(length)]
        assert is_vector(numbers)
        numbers[chance.randrange(length)] = odd
        assert not is_vector(numbers)
        assert base64_of_numbers(numbers) is None
    assert not is_vector([math.inf, -math.inf])
    assert not is_vector([])


@pytest.mark.parametrize("name", BAD_BODIES)
def test_what_is_no_chat_is_no_request_for_embeddings_either(name: str) -> None:
    with pytest.raises(InvalidRequest):
        decode_embedding(BAD_BODIES[name])


def test_null_counts_as_absent() -> None:
    body = b'{"input":"x","model":null,"kind":null,"dimensions":null,"encoding_format":null}'
    request = decode_embedding(body)
    assert (request.model, request.dimensions, request.encoding_format) == (None, None, None)


@pytest.mark.parametrize(
    ("query", "request_"),
    [
        (b"", RealtimeRequest()),
        (b"voice=marin", RealtimeRequest(voice="marin")),
        (b"model=m&kind=k&voice=a%20b", RealtimeRequest(model="m", kind="k", voice="a b")),
        (b"voice=a+b", RealtimeRequest(voice="a b")),
        (b"voice=%C3%BC", RealtimeRequest(voice="ü")),
    ],
)
def test_a_query_is_a_realtime_request(query: bytes, request_: RealtimeRequest) -> None:
    assert read_realtime(query) == request_


@pytest.mark.parametrize(
    "query",
    [b"x=1", b"voice", b"voice=", b"voice=a&voice=a", b"voice=%00", b"voice=%ff", b"\xff", b"&&"],
)
def test_any_other_query_is_refused(query: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_realtime(query)


def test_a_secret_prints_as_nothing() -> None:
    secret = RealtimeSecret(value="ek_0123456789abcdef", expires_at=7)
    assert "ek_" not in f"{secret} {secret!r}"
