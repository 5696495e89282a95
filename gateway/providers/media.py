"""What a provider of long work defines: images and their changes, music. Pure, as base.py's forms.

A job is one or more runs. A run is one submission to a provider, which either answers with the
files (`Made`) or takes the work (`Running`), which is then asked for until it ends.
"""

from collections.abc import Mapping
from typing import Literal, Protocol, TypeGuard

from msgspec import Struct

from gateway.operations.image import ImageRequest
from gateway.operations.image_control import ImageControlRequest
from gateway.operations.image_edit import ImageEditRequest
from gateway.operations.image_fit import ImageFitRequest
from gateway.operations.image_upscale import ImageUpscaleRequest
from gateway.operations.media import MadeFile, MediaUse
from gateway.operations.music import MusicRequest
from gateway.providers.base import Provider, UpstreamAnswer, UpstreamRequest

MediaRequest = (
    ImageRequest
    | ImageEditRequest
    | ImageUpscaleRequest
    | ImageControlRequest
    | ImageFitRequest
    | MusicRequest
)
MEDIA_OPERATIONS = ("image", "image_edit", "image_upscale", "image_control", "image_fit", "music")
"""What jobs make. Pictures that a request works on come to `build_submission` with their bytes."""


class MediaTarget(Struct, frozen=True, kw_only=True):
    """Where a run goes and what it makes there.

    `model` is the provider's own id; `count` how many of the request's items this run makes, and
    `first` how many other runs make before it, so that a seed differs from picture to picture;
    `callback_url` where the provider may tell us that it is done, empty if it cannot reach us;
    `deadline_s` in how many seconds we stop waiting.
    """

    model: str
    count: int = 1
    first: int = 0
    callback_url: str = ""
    deadline_s: int = 600
    drop_parameters: tuple[str, ...] = ()


class Running(Struct, frozen=True, kw_only=True):
    """The provider took the work, or is still at it.

    `progress` is from 0 to 1 where it tells; `ask_again_s` where it says when to ask again.
    """

    upstream_id: str
    progress: float | None = None
    ask_again_s: float | None = None


class Made(Struct, frozen=True, kw_only=True):
    """The provider is done: at least one file, and what that used.

    `blocked` counts items that the provider's filter held back beside those it gave.
    """

    files: tuple[MadeFile, ...]
    use: MediaUse
    blocked: int = 0


class Stopped(Struct, frozen=True, kw_only=True):
    """The run was cancelled at the provider; `billed` if the provider bills us nevertheless."""

    billed: bool


Progress = Running | Made | Stopped


class Maker(Provider, Protocol):
    """Whoever makes files (one of `MEDIA_OPERATIONS` is among its operations)."""

    def unsupported_media(self, request: MediaRequest, target: MediaTarget) -> str | None:
        """Name the field of the request that this model cannot serve at all; None if it can."""

    def most_per_run(self, request: MediaRequest, target: MediaTarget) -> int:
        """Give how many items one submission makes at most: 1 or more."""


class LocalProvider(Maker, Protocol):
    """Ourselves: a worker does what is asked by itself. No host, no key, no answer to be read."""

    @property
    def works_here(self) -> Literal[True]:
        """What tells it from a provider that is reached over HTTP."""


class MediaProvider(Maker, Protocol):
    """An upstream that makes files."""

    @property
    def file_hosts(self) -> tuple[str, ...]:
        """The hosts its files may be fetched from; `.example.com` stands for every host below.

        Empty where every answer holds the bytes themselves.
        """

    def file_headers(self, key: str) -> dict[str, str]:
        """Give the headers that fetching a file takes."""

    def patience_s(self, request: MediaRequest, target: MediaTarget) -> float:
        """Give how long the answer to a submission may take."""

    def build_submission(self, request: MediaRequest, target: MediaTarget) -> UpstreamRequest:
        """Write the request that begins a run; `request` is left as it is.

        Raises: InvalidRequest for what only this provider's form brings to light.
        """

    def parse_submission(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Read the answer to a submission. Raises: UpstreamFailure: nothing was begun, or it
        failed.
        """

    def build_poll(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest:
        """Write the question how a run stands. Only asked after `Running`."""

    def parse_poll(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Read how a run stands. Raises: UpstreamFailure: the run failed for good if it is not
        `retryable`, else the question did and is asked again.
        """

    def build_cancel(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest | None:
        """Write the request that stops a run; None where the provider has none."""


class CallbackProvider(MediaProvider, Protocol):
    """An upstream that tells us when a run ends."""

    def is_genuine(
        self, headers: Mapping[str, str], body: bytes, *, secret: str, now_s: float
    ) -> bool:
        """Check the signature and the age (300 s at most) of what claims to be its message."""

    def upstream_id_of(self, body: bytes) -> str | None:
        """Read which run a message is about; None if it is not to be read."""


def makes(provider: Provider, operation: str) -> TypeGuard[Maker]:
    """Tell whether a provider, or we ourselves, make what the operation is for."""
    return operation in MEDIA_OPERATIONS and operation in provider.operations


def makes_media(provider: Provider, operation: str) -> TypeGuard[MediaProvider]:
    """Tell whether a provider makes what the operation is for, over HTTP."""
    return makes(provider, operation) and not works_here(provider)


def works_here(provider: Provider) -> TypeGuard[LocalProvider]:
    """Tell whether that is ourselves."""
    return hasattr(provider, "works_here")


def calls_back(provider: MediaProvider) -> TypeGuard[CallbackProvider]:
    """Tell whether a provider tells us when a run ends."""
    return hasattr(provider, "is_genuine")
