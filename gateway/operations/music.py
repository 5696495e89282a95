"""Making music from words: what is asked, whoever makes it."""

from msgspec import Struct

LEAST_S, MOST_S, DEFAULT_S = 1, 300, 30


class MusicRequest(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One request for a piece of music of `duration_ms`; callers get exactly that length."""

    prompt: str
    duration_ms: int = DEFAULT_S * 1000
    instrumental: bool = False

    operation = "music"
