"""What the tests of Replicate's provider share: requests, recorded replies, ways to read them."""

from pathlib import Path

from gateway.operations.image import ImageRequest
from gateway.providers.base import UpstreamAnswer
from gateway.providers.media import MediaTarget, Progress
from gateway.providers.replicate import PROVIDER

REPLIES = Path(__file__).parent / "replies/replicate"
ID = "gm3qorzdhgbfurvjtvhg6dckhu"
SCHNELL, DEV = "black-forest-labs/flux-schnell", "black-forest-labs/flux-dev"
PRO, PRO_1 = "black-forest-labs/flux-1.1-pro", "black-forest-labs/flux-pro"
REQUEST = ImageRequest(prompt="a lighthouse", count=2, size="1344x768", quality="standard")
TARGET = MediaTarget(model=SCHNELL, count=2)
ANSWERS = sorted(path.stem for path in REPLIES.glob("[!e]*.json"))
ERRORS = sorted(path.stem for path in REPLIES.glob("error_*.json"))


def recorded(name: str) -> bytes:
    """Read a recorded reply."""
    return (REPLIES / f"{name}.json").read_bytes()


def answer(body: bytes, status: int = 200) -> UpstreamAnswer:
    """Give an answer with this body."""
    return UpstreamAnswer(status=status, headers={}, body=body)


def polled(body: bytes, target: MediaTarget = TARGET) -> Progress:
    """Read how a prediction stands."""
    return PROVIDER.parse_poll(REQUEST, target, answer(body))
