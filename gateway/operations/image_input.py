"""A picture that a caller sent in: kept by us for as long as its job needs it."""

from uuid import UUID

from msgspec import Struct


class ImageInput(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One picture to work on, made ours: upright, without metadata, PNG, JPEG or WEBP.

    `asset_id` is where its bytes lie; sides are pixels, `original_…` those of the picture as it was
    sent, where it was scaled down. `data` is there only where a provider or a child process is
    about to read it: a job's row never holds it.
    """

    asset_id: UUID
    media_type: str
    width: int
    height: int
    original_width: int = 0
    original_height: int = 0
    data: bytes = b""

    def __repr__(self) -> str:
        return f"ImageInput({self.asset_id}, {self.media_type}, {self.width}x{self.height})"
