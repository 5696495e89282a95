"""What the endpoints of the speech API share: coming in, the keys it has headers for, the sound."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import msgspec

from gateway.admission import Admitted, require_scope
from gateway.errors import UpstreamFailure
from gateway.media.addresses import PATH, asset_url, base_url
from gateway.media.services import asset_id, keep
from gateway.media.works import MusicWork
from gateway.speech.answers import Speech
from gateway.surfaces.answers import Headers
from gateway.surfaces.asking import in_thread
from gateway.surfaces.door import Request
from gateway.surfaces.entry import entered
from gateway.user_keys import read_named_keys
from studio.accounts.callers import Caller
from studio.core.errors import GatewayError
from studio.core.money import credits_text

SPEAKER = "baseten"
"""Whose voices this API has."""
KEY_HEADERS = {b"x-openai-key": "openai", b"x-baseten-key": "baseten"}


class KeptSpeech(msgspec.Struct, frozen=True, kw_only=True):
    """A sound that is stored: where it is read, and how many seconds the file plays."""

    audio_url: str
    duration: float


class speech_entered(entered):  # noqa: N801  a context manager, called like a function
    """Admit the caller for the time of the block, with the provider keys of this API's headers.

    Raises: what `entered` raises, Forbidden (a scope that its key lacks), InvalidRequest.
    """

    __slots__ = ("_scopes",)

    def __init__(self, request: Request, operation: str, *scopes: str) -> None:
        super().__init__(request, operation)
        self._scopes = scopes

    async def __aenter__(self) -> Admitted:
        """Let the caller in."""
        admitted = await super().__aenter__()
        request = self._request
        try:
            for scope in self._scopes:
                require_scope(admitted.caller, scope)
            shown = read_named_keys(request.raw_headers, KEY_HEADERS)
            request.user_keys = shown.over(request.user_keys)
        except BaseException as error:
            self._leave(error)
            raise
        return admitted


@contextmanager
def service(name: str) -> Iterator[None]:
    """Say of a failure in the block which service it came from, as `details.service`."""
    try:
        yield
    except UpstreamFailure as failure:
        failure.details.setdefault("service", name)
        raise


async def keep_speech(
    request: Request, caller: Caller, speech: Speech, *, call_id: str
) -> KeptSpeech:
    """Store a sound under the call that made it.

    Raises: StorageUnavailable, which says what was charged: the sound was made, and is lost.
    """
    id = asset_id(UUID(call_id), 0)
    try:
        asset = await in_thread(
            keep,
            speech.data,
            MusicWork(),
            id=id,
            workspace_id=caller.workspace_id,
            job_id=None,
        )
    except GatewayError as error:
        say_charged(error, speech.charged_ucr)
        raise
    return KeptSpeech(
        audio_url=speech_url(request, caller, asset.pk), duration=asset.media_ms / 1000
    )


def speech_url(request: Request, caller: Caller, id: UUID) -> str:
    """Give an address of a sound, good for as long as the workspace's tier says."""
    return asset_url(id, base_url=base_url(request.raw_headers), life_s=caller.asset_url_life_s)


def signed_again(request: Request, caller: Caller, url: str) -> str:
    """Give the address of a sound that was answered before a new signature."""
    _, _, rest = url.partition(PATH)
    return speech_url(request, caller, UUID(rest.partition("?")[0]))


def say_charged(error: GatewayError, charged_ucr: int) -> None:
    """Say on an error what was paid before it, as a header and among its details."""
    error.headers["X-Credits-Charged"] = credits_text(charged_ucr)
    error.details["credits_charged"] = credits_text(charged_ucr)


def upstream_headers(request: Request, *, sandbox: bool, deprecation: str) -> Headers:
    """Say what answered."""
    headers: Headers = []
    if sandbox:
        request.upstream = "sandbox"
        headers.append((b"x-studio-upstream", b"sandbox"))
    if deprecation:
        headers.append((b"deprecation", deprecation.encode()))
    return headers
