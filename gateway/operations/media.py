"""What jobs make: files, and how much of what is paid for. Provider-neutral.

image.py and music.py have the requests.
"""

from msgspec import Struct

ANY = ""
"""A size or quality that has no meaning for the model, or that it chooses itself."""


class MadeFile(Struct, frozen=True, kw_only=True):
    """One file a provider made: its bytes, or an address of the provider's to fetch them from.

    `media_type` is what the provider calls it, empty where it says nothing: the bytes decide.
    `revised_prompt` is what the model made of the prompt, where it tells.
    """

    data: bytes = b""
    url: str = ""
    media_type: str = ""
    revised_prompt: str = ""
    seed: int | None = None

    def __repr__(self) -> str:
        return f"MadeFile({len(self.data)} bytes, {self.media_type})"


class MediaUse(Struct, frozen=True, kw_only=True):
    """What a job made, or would make, as it is paid for.

    `size` (`1024x1024`) and `quality` are the words of the price book, `item_count` images or
    tracks, `media_ms` the length of sound in all. `provider_cost_ucr` is what the provider says it
    bills us, None where it does not say.
    """

    item_count: int
    size: str = ANY
    quality: str = ANY
    media_ms: int = 0
    character_count: int = 0
    provider_cost_ucr: int | None = None
