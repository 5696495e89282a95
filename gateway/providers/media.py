"""What a provider of long work defines: images, music. Pure, as base.py's forms are.

A job is one or more runs. A run is one submission to a provider, which either answers with the
files (`Made`) or takes the work (`Running`), which is then asked for until it ends.
"""

from collections.abc import Mapping
from typing import Protocol, TypeGuard

from msgspec import Struct

from gateway.operations.image import ImageRequest
from gateway.operations.media import MadeFile, MediaUse
from gateway.operations.music import MusicRequest
from gateway.providers.base import Provider, UpstreamAnswer, UpstreamRequest

MediaRequest = ImageRequest | MusicRequest


class MediaTarget(Struct, frozen=True, kw_only=True):
    """Where a run goes and what it makes there.

    `model` is the provider's own id; `count` how many of the request's items this run makes;
    `callback_url` where the provider may tell us that it is done, empty if it cannot reach us;
    `deadline_s` in how many seconds we stop waiting.
    """

    model: str
    count: int = 1
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


class MediaProvider(Provider, Protocol):
    """An upstream that makes files (`image` or `music` is among its operations)."""

    @property
    def file_hosts(self) -> tuple[str, ...]:
        """The hosts its files may be fetched from; `.example.com` stands for every host below.

        Empty where every answer holds the bytes themselves.
        """

    def file_headers(self, key: str) -> dict[str, str]:
        """Give the headers that fetching a file takes."""

    def unsupported_media(self, request: MediaRequest, target: MediaTarget) -> str | None:
        """Name the field of the request that this model cannot serve at all; None if it can."""

    def most_per_run(self, request: MediaRequest, target: MediaTarget) -> int:
        """Give how many items one submission makes at most: 1 or more."""

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


def makes_media(provider: Provider, operation: str) -> TypeGuard[MediaProvider]:
    """Tell whether a provider makes what the operation is for."""
    return operation in ("image", "music") and operation in provider.operations


def calls_back(provider: MediaProvider) -> TypeGuard[CallbackProvider]:
    """Tell whether a provider tells us when a run ends."""
    return hasattr(provider, "is_genuine")
