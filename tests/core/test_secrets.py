"""Sealed values open only whole, for their purpose, in their place, under their secret."""

import pytest

from studio.core.secrets import SealBroken, seal, unseal

SECRET, OTHER = "s" * 32, "t" * 32


def sealed() -> bytes:
    """Seal a text for one row."""
    return seal(b"the answer", master_secret=SECRET, purpose="answer", context=b"row-1")


def test_what_was_sealed_opens_in_its_place() -> None:
    opened = unseal(sealed(), master_secret=SECRET, purpose="answer", context=b"row-1")
    assert opened == b"the answer"


def test_two_seals_of_the_same_text_differ() -> None:
    assert sealed() != sealed()


@pytest.mark.parametrize(
    ("secret", "purpose", "context"),
    [(OTHER, "answer", b"row-1"), (SECRET, "other", b"row-1"), (SECRET, "answer", b"row-2")],
)
def test_another_secret_purpose_or_row_does_not_open_it(
    secret: str, purpose: str, context: bytes
) -> None:
    with pytest.raises(SealBroken):
        unseal(sealed(), master_secret=secret, purpose=purpose, context=context)


def test_every_changed_byte_and_every_cut_is_noticed() -> None:
    whole = sealed()
    for place in range(len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        for broken in (damaged, whole[:place]):
            with pytest.raises(SealBroken):
                unseal(broken, master_secret=SECRET, purpose="answer", context=b"row-1")
