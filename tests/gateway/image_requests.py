"""What the tests of image providers share: requests, targets, recorded replies."""

from pathlib import Path
from typing import Any

from gateway.operations.image import ImageRequest
from gateway.providers.base import UpstreamAnswer
from gateway.providers.media import Made, MediaProvider, MediaTarget

REPLIES = Path(__file__).parent / "replies"


def asked(**fields: Any) -> ImageRequest:
    """Ask for a picture of a lamp."""
    return ImageRequest(**{"prompt": "A lamp", **fields})


def target(model: str, **fields: Any) -> MediaTarget:
    """Send it to a model."""
    return MediaTarget(model=model, **fields)


def recorded(slug: str, name: str) -> bytes:
    """Give a recorded reply."""
    return (REPLIES / slug / "images" / f"{name}.json").read_bytes()


def read(
    provider: MediaProvider,
    body: bytes,
    *,
    status: int = 200,
    request: ImageRequest | None = None,
    to: MediaTarget,
    headers: dict[str, str] | None = None,
) -> Made:
    """Read an answer that ends its run."""
    answer = UpstreamAnswer(status=status, headers=headers or {}, body=body)
    made = provider.parse_submission(request or asked(), to, answer)
    assert isinstance(made, Made)
    return made
