"""The price table to the digit: every operation and class of the shipped prices, in each tier.

The amounts are written by hand from the providers' price lists and the llm surface's own table:
free adds 50 %, managed 20 %, byok and vip_founder nothing. What is metered is exact and rounded up
at the last micro-credit; each image is rounded up to a whole credit.
"""

from dataclasses import dataclass

import pytest

from billing.price_file import read_price_file
from billing.pricing import PriceBookSnapshot, snapshot_of
from billing.pricing_items import ItemNotPriced
from gateway.operations.media import MediaUse
from gateway.operations.speech import SpeechUse
from studio.accounts.models import Tier
from tests.billing.golden_tables import (
    CHANGES,
    CHATS,
    EMBEDDINGS,
    IMAGES,
    MUSIC,
    RANGES,
    SESSIONS,
    SPEECH,
    TRANSCRIPTIONS,
)

TIERS = ("free", "managed", "byok", "vip_founder")
CREDIT = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a provider reports."""

    input_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0


@pytest.fixture(scope="module")
def book() -> PriceBookSnapshot:
    """The shipped prices."""
    return snapshot_of(1, read_price_file())


@pytest.fixture
def markups(db: None) -> tuple[int, ...]:
    """The markups of the tiers that come with the product, in basis points."""
    found = dict(Tier.objects.values_list("slug", "markup_bp"))
    return tuple(found[slug] for slug in TIERS)


@pytest.mark.parametrize(("provider", "model", "tokens", "expected"), CHATS)
def test_a_chat_costs(
    *,
    book: PriceBookSnapshot,
    markups: tuple[int, ...],
    provider: str,
    model: str,
    tokens: tuple[int, int, int, int],
    expected: tuple[int, ...],
) -> None:
    price = book.chat(provider, model)
    assert price is not None
    usage = Usage(
        input_tokens=tokens[0],
        cached_input_tokens=tokens[1],
        cache_write_tokens=tokens[2],
        output_tokens=tokens[3],
    )
    assert tuple(price.charge_ucr(usage, markup) for markup in markups) == expected
    assert price.cost_ucr(usage) == expected[-1]


@pytest.mark.parametrize(("provider", "model", "tokens", "expected"), EMBEDDINGS)
def test_embeddings_cost(
    *,
    book: PriceBookSnapshot,
    markups: tuple[int, ...],
    provider: str,
    model: str,
    tokens: int,
    expected: tuple[int, ...],
) -> None:
    price = book.price("embedding", provider, model)
    assert price is not None
    usage = Usage(input_tokens=tokens)
    assert tuple(price.charge_ucr(usage, markup) for markup in markups) == expected


@pytest.mark.parametrize(("model", "expected"), SESSIONS)
def test_a_realtime_session_costs(
    book: PriceBookSnapshot, markups: tuple[int, ...], model: str, expected: tuple[int, ...]
) -> None:
    price = book.price("realtime", "openai", model)
    assert price is not None
    usage = Usage(input_tokens=0)
    charges = tuple(price.charge_ucr(usage, markup) for markup in markups)
    assert charges == tuple(credits * CREDIT for credits in expected)


@pytest.mark.parametrize(("provider", "model", "size", "quality", "count", "expected"), IMAGES)
def test_images_cost(
    *,
    book: PriceBookSnapshot,
    markups: tuple[int, ...],
    provider: str,
    model: str,
    size: str,
    quality: str,
    count: int,
    expected: tuple[int, ...],
) -> None:
    price = book.media("image", provider, model)
    assert price is not None
    use = MediaUse(item_count=count, size=size, quality=quality)
    charges = tuple(price.charge_ucr(use, markup) for markup in markups)
    assert charges == tuple(price.most_ucr(use, markup) for markup in markups)
    assert charges == tuple(credits * CREDIT for credits in expected)


@pytest.mark.parametrize(("provider", "model", "size", "quality", "count", "expected"), RANGES)
def test_auto_is_a_range_of_which_the_most_is_held(
    *,
    book: PriceBookSnapshot,
    markups: tuple[int, ...],
    provider: str,
    model: str,
    size: str,
    quality: str,
    count: int,
    expected: tuple[tuple[int, int], ...],
) -> None:
    price = book.media("image", provider, model)
    assert price is not None
    use = MediaUse(item_count=count, size=size, quality=quality)
    ranges = tuple(
        (price.charge_ucr(use, markup), price.most_ucr(use, markup)) for markup in markups
    )
    assert ranges == tuple((least * CREDIT, most * CREDIT) for least, most in expected)


@pytest.mark.parametrize(
    ("model", "size", "quality"),
    [
        ("dall-e-3", "256x256", "standard"),
        ("dall-e-2", "1792x1024", "standard"),
        ("dall-e-2", "1024x1024", "hd"),
    ],
)
def test_what_has_no_price_is_neither_held_nor_charged(
    book: PriceBookSnapshot, model: str, size: str, quality: str
) -> None:
    price = book.media("image", "openai", model)
    assert price is not None
    use = MediaUse(item_count=1, size=size, quality=quality)
    with pytest.raises(ItemNotPriced):
        price.charge_ucr(use, 0)
    with pytest.raises(ItemNotPriced):
        price.most_ucr(use, 0)


@pytest.mark.parametrize(("operation", "provider", "model", "expected"), CHANGES)
def test_changes_of_images_cost(
    *,
    book: PriceBookSnapshot,
    markups: tuple[int, ...],
    operation: str,
    provider: str,
    model: str,
    expected: tuple[int, ...],
) -> None:
    price = book.media(operation, provider, model)
    assert price is not None
    use = MediaUse(item_count=1)
    charges = tuple(price.charge_ucr(use, markup) for markup in markups)
    assert charges == tuple(credits * CREDIT for credits in expected)


@pytest.mark.parametrize(("model", "media_ms", "expected"), MUSIC)
def test_music_costs(
    *,
    book: PriceBookSnapshot,
    markups: tuple[int, ...],
    model: str,
    media_ms: int,
    expected: tuple[int, ...],
) -> None:
    price = book.media("music", "elevenlabs", model)
    assert price is not None
    use = MediaUse(item_count=1, media_ms=media_ms)
    assert tuple(price.charge_ucr(use, markup) for markup in markups) == expected
    assert price.cost_ucr(use) == expected[-1]


@pytest.mark.parametrize(("provider", "model", "counts", "expected"), SPEECH)
def test_speech_costs(
    *,
    book: PriceBookSnapshot,
    markups: tuple[int, ...],
    provider: str,
    model: str,
    counts: tuple[int, int, int],
    expected: tuple[int, ...],
) -> None:
    price = book.speech(provider, model)
    assert price is not None
    characters, heard, said = counts
    use = SpeechUse(character_count=characters, input_tokens=heard, output_tokens=said)
    assert tuple(price.charge_ucr(use, markup) for markup in markups) == expected
    assert price.cost_ucr(use) == expected[-1]


@pytest.mark.parametrize(("provider", "model", "media_ms", "expected"), TRANSCRIPTIONS)
def test_transcriptions_cost(
    *,
    book: PriceBookSnapshot,
    markups: tuple[int, ...],
    provider: str,
    model: str,
    media_ms: int,
    expected: tuple[int, ...],
) -> None:
    price = book.media("transcription", provider, model)
    assert price is not None
    use = MediaUse(item_count=1, media_ms=media_ms)
    assert tuple(price.charge_ucr(use, markup) for markup in markups) == expected


def test_every_operation_and_class_of_the_book_stands_in_the_table() -> None:
    priced = {(row.operation, row.meter) for row in read_price_file()}
    assert priced == {
        ("chat", "input"),
        ("chat", "cached_input"),
        ("chat", "cache_write"),
        ("chat", "output"),
        ("embedding", "input"),
        ("realtime", "session"),
        ("image", "image"),
        *{(operation, "image") for operation, _, _, _ in CHANGES},
        ("music", "second"),
        ("speech", "character"),
        ("speech", "input"),
        ("speech", "audio_output"),
        ("transcription", "second"),
    }
    for operation, table in (("speech", SPEECH), ("transcription", TRANSCRIPTIONS)):
        spoken = {(r.provider, r.model) for r in read_price_file() if r.operation == operation}
        assert spoken == {(provider, model) for provider, model, _, _ in table}
    images = {
        (row.model, row.options.get("size", ""), row.options.get("quality", ""))
        for row in read_price_file()
        if row.operation == "image"
    }
    assert images == {(model, size, quality) for _, model, size, quality, _, _ in IMAGES}
    changed = {
        (row.operation, row.model)
        for row in read_price_file()
        if row.operation.startswith("image_")
    }
    assert changed == {(operation, model) for operation, _, model, _ in CHANGES}
    music = {row.model for row in read_price_file() if row.operation == "music"}
    assert music == {model for model, _, _ in MUSIC}
    assert len(CHATS) + len(EMBEDDINGS) + len(SESSIONS) + len(IMAGES) + len(RANGES) >= 60
