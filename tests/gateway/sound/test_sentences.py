"""Cutting texts: at sentence ends, within the limit, and without losing a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sound.sentences import cut

SPOKEN = st.text(st.sampled_from("ab Zé .!?,;:…\"')\n\t。！？、0 3é́‍👩ー"), min_size=0, max_size=120)


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(SPOKEN | st.text(max_size=80), st.integers(1, 30))
def test_nothing_is_lost_and_no_piece_is_too_long(text: str, most: int) -> None:
    pieces = cut(text, most)
    assert squeezed("".join(pieces)) == squeezed(text)
    assert all(0 < len(piece) <= most and piece == piece.strip() for piece in pieces)


@given(st.lists(st.sampled_from(["one", "two", "three", "four"]), min_size=1, max_size=60))
def test_words_that_fit_are_never_cut(words: list[str]) -> None:
    assert " ".join(cut(" ".join(words), 12)).split() == words


@pytest.mark.parametrize(
    ("text", "most", "pieces"),
    [
        ("Short.", 100, ["Short."]),
        ("", 10, []),
        ("   \n ", 10, []),
        (
            "Dr. Smith paid 3.14 dollars. He went home!",
            36,
            ["Dr. Smith paid 3.14 dollars.", "He went home!"],
        ),
        (
            'He asked: "Really?" Then he left. And so on.',
            34,
            ['He asked: "Really?" Then he left.', "And so on."],
        ),
        ("See e.g. the U.S. office. It is big.", 30, ["See e.g. the U.S. office.", "It is big."]),
        ("J. R. R. Tolkien wrote. Much.", 24, ["J. R. R. Tolkien wrote.", "Much."]),
        (
            "これは文です。次の文です。もう一つ。",
            9,
            ["これは文です。", "次の文です。", "もう一つ。"],
        ),
        ("First line\n\nSecond paragraph here", 25, ["First line", "Second paragraph here"]),
        ("one two three, four five six", 20, ["one two three,", "four five six"]),
        ("alpha beta gamma", 11, ["alpha beta", "gamma"]),
        ("a" * 25, 10, ["a" * 10, "a" * 10, "a" * 5]),
        ("e\u0301" * 4, 5, ["e\u0301e\u0301", "e\u0301e\u0301"]),
        ("Wait... what? Yes.", 14, ["Wait... what?", "Yes."]),
    ],
)
def test_texts_are_cut_where_one_breathes(text: str, most: int, pieces: list[str]) -> None:
    assert cut(text, most) == pieces


def test_a_family_is_not_cut_apart() -> None:
    family = "👨\u200d👩\u200d👧\u200d👦"
    assert cut(family * 3, 8) == [family] * 3


def test_the_longest_piece_that_fits_is_taken() -> None:
    assert cut("One. Two. Three. Four.", 16) == ["One. Two. Three.", "Four."]
