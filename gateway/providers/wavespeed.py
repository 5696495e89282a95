"""WaveSpeed: tasks that are begun once, asked for until they end, and whose files lie at its CDN.

A begun task cannot be stopped by us, and one that failed is not known to be billed.
Source: `wavespeed` Python SDK 2.0.5, `api/client.py` (paths, statuses, what may be sent again);
wavespeed.ai/models/…/llms.txt of ideogram-v3-turbo and qwen-image/text-to-image-2512 (inputs; those
of the first qwen-image are taken to be the same: wavespeed.ai/docs shows `size` for it);
`huggingface_hub` 2.4.0, `_providers/wavespeed.py`. Bodies of errors have no page: `code` and
`message` are the envelope's own fields. Hosts of files: WaveSpeedAI/wavespeed-comfyui's README and
outputs quoted in public repositories (2025, 2026).
"""

import base64
import binascii
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.operations.image import ImageRequest
from gateway.operations.media import MadeFile
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamError,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamRequest,
)
from gateway.providers.failures import ErrorWords, shown
from gateway.providers.image_sizes import AnySize
from gateway.providers.images_form import (
    UNREADABLE,
    file_problem,
    image_asked_for,
    is_out_of_reach,
    nearest_shape,
    prompt_in_words,
    size_of,
    use_of,
)
from gateway.providers.media import Made, MediaRequest, MediaTarget, Progress, Running, Stopped
from gateway.providers.openai_form import NO_RAW, failure_meant
from studio.core.errors import InvalidRequest

FILE_HOSTS = (
    *("wavespeed.ai", ".wavespeed.ai", "d1q70pf5vjeyhc.cloudfront.net"),
    *("d2p7pge43lyniu.cloudfront.net", "d2h7xmz5gqybh9.cloudfront.net"),
)
HOSTS = ("api.wavespeed.ai", "d1q70pf5vjeyhc.cloudfront.net")
IDEOGRAM, QWEN = "ideogram-ai/ideogram-v3-turbo", "wavespeed-ai/qwen-image/text-to-image"
_SHAPES = ("1:1", "16:9", "9:16", "4:3", "3:4")
_WIDEST = 4.0
"""A banner of 4:1 is cut out of 16:9: less than half of the picture is left."""
_MEGAPIXEL = 1024 * 1024
_QWEN_SIZES = AnySize(least=256, most=1536, area=1536 * 1536)
_MOST_SEED = 2**31 - 1
_STYLES = MappingProxyType(
    {
        **dict.fromkeys(("photorealistic", "photographic", "natural"), "Realistic"),
        **dict.fromkeys(("digital-art", "design"), "Design"),
    }
)
_PATIENCE_S = 60.0
"""The SDK's own for a submission, which never waits for the picture."""
_LONGEST_ADDRESS = 4096
_TAIL = 4000
_BLOCKED = re.compile(r"nsfw|flagged|sensitive|safety|moderat|content polic", re.IGNORECASE)
_SPENT = re.compile(r"insufficient (?:credit|balance|fund)|top.?up|recharge", re.IGNORECASE)
_NO_MONEY_LEFT = (400, 402, 403)
"""Statuses under which a spent account is told; which of them it is, is not documented."""
_JSON = {"content-type": "application/json", "accept": "application/json"}
_encode = msgspec.json.Encoder().encode


class _Task(Struct):
    """The part of a task that is looked at."""

    id: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,128}\Z")]
    status: str
    outputs: Any = None
    error: Any = None


class _Envelope(Struct):
    code: Any = None
    message: Any = ""
    data: Raw = NO_RAW


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_TASK = msgspec.json.Decoder(_Task)


class WaveSpeed:
    """WaveSpeed's tasks of Ideogram and Qwen-Image."""

    slug = "wavespeed"
    default_base_url = "https://api.wavespeed.ai"
    hosts = HOSTS
    file_hosts = FILE_HOSTS
    operations = frozenset({"image"})

    def auth(self, key: str) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"authorization": f"Bearer {key}"}

    def file_headers(self, key: str) -> dict[str, str]:
        """Give nothing: files are public, and the CDN is not to see the key."""
        return {}

    def unsupported_media(self, request: MediaRequest, target: MediaTarget) -> str | None:
        """Name what a model does not have, and `model` for one that is not known here."""
        asked = image_asked_for(request, target)
        size = size_of(asked)
        if target.model == IDEOGRAM:
            far = is_out_of_reach(asked, widest=_WIDEST, most_pixels=_MEGAPIXEL)
            seeded = asked.seed is not None
        elif target.model == QWEN:
            far = size is not None and _QWEN_SIZES.is_out_of_reach(size)
            seeded = asked.seed is not None and not _is_seed(asked)
        else:
            return "model"
        if far or seeded:
            return "size" if far else "seed"
        if asked.background == "transparent":
            return "background"
        return "moderation" if asked.moderation == "low" else file_problem(asked)

    def most_per_run(self, request: MediaRequest, target: MediaTarget) -> int:
        """Ask for one: neither model takes a number."""
        return 1

    def patience_s(self, request: MediaRequest, target: MediaTarget) -> float:
        """Give how long the answer to a submission may take."""
        return min(_PATIENCE_S, target.deadline_s)

    def build_submission(self, request: MediaRequest, target: MediaTarget) -> UpstreamRequest:
        """Write the request that begins a task. Raises: InvalidRequest for an unknown model."""
        body = _encode(_input_of(image_asked_for(request, target), target))
        path = f"/api/v3/{quote(target.model)}"
        return UpstreamRequest(path=path, body=body, headers=_JSON)

    def parse_submission(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Read the task, which may be done already. Raises: UpstreamFailure."""
        return self._progress(request, target, answer, retryable=False)

    def build_poll(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest:
        """Write the question how a task stands."""
        path = f"/api/v3/predictions/{quote(upstream_id, safe='')}/result"
        return UpstreamRequest(
            path=path, body=b"", headers={"accept": "application/json"}, method="GET"
        )

    def parse_poll(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Read how a task stands. Raises: UpstreamFailure."""
        if answer.status == 404:
            text = "The provider no longer knows what it was asked to make."
            raise UpstreamError(text, provider_status=404)
        return self._progress(request, target, answer, retryable=True)

    def build_cancel(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest | None:
        """Say that there is no way to stop a task."""
        return None

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """Read an answer that is no success."""
        words = _words(body)
        if words.quota and status in _NO_MONEY_LEFT:
            return failure_meant(429, status, headers, words, hosts=self.hosts)
        return failure_meant(status, status, headers, words, hosts=self.hosts)

    def _progress(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer, *, retryable: bool
    ) -> Progress:
        """Read a task. An envelope may say with 200 that it is none."""
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        inside = status_inside(answer.body)
        if inside is not None:
            raise self.parse_error(inside, answer.headers, answer.body)
        seed = seed_of(image_asked_for(request, target), target)
        return read_task(request, answer, seed=seed, retryable=retryable, hosts=self.hosts)


def read_task(
    request: MediaRequest,
    answer: UpstreamAnswer,
    *,
    seed: int | None,
    retryable: bool,
    hosts: tuple[str, ...],
) -> Progress:
    """Tell how a task stands; a status we do not know is taken for one on the way.

    Raises: UpstreamFailure; `retryable` says whether asking again for what cannot be read is
    harmless.
    """
    try:
        task = _TASK.decode(_ENVELOPE.decode(answer.body).data)
    except UNREADABLE as error:
        failure = UpstreamInvalid("The provider's answer cannot be read.")
        failure.retryable = retryable
        raise failure from error
    if task.status == "cancelled":
        return Stopped(billed=False)
    if task.status in ("failed", "timeout", "deleted"):
        raise _failed(task, hosts)
    if task.status != "completed":
        return Running(upstream_id=task.id)
    outputs = task.outputs if isinstance(task.outputs, list) else []
    found = [file_of(one, seed) for one in outputs if isinstance(one, str)]
    files = tuple(file for file in found if file is not None)[:1]
    if not files:
        raise UpstreamInvalid("The provider's answer holds no files.")
    return Made(files=files, use=use_of(request, files))


def status_inside(body: bytes) -> int | None:
    """Read the status of an error that came with 200; None if it is none."""
    try:
        code = _ENVELOPE.decode(body).code
    except UNREADABLE:
        return None
    return code if type(code) is int and 400 <= code <= 599 else None


def file_of(text: str, seed: int | None) -> MadeFile | None:
    """Read an address, or a file written out in base64, as an address (`data:`) or plainly."""
    if text.startswith(("https://", "http://")):
        return MadeFile(url=text, seed=seed) if len(text) <= _LONGEST_ADDRESS else None
    head, separator, encoded = text.partition(";base64,")
    media_type = head.removeprefix("data:") if separator else ""
    try:
        data = base64.b64decode(encoded if separator else text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return MadeFile(data=data, media_type=media_type, seed=seed) if data else None


def seed_of(request: ImageRequest, target: MediaTarget) -> int | None:
    """Give the seed of a run's picture: each picture of a request has another one."""
    return None if request.seed is None else request.seed + target.first


def _input_of(request: ImageRequest, target: MediaTarget) -> dict[str, Any]:
    """Write a request as the model's input, with no field that it does not know.

    Raises: InvalidRequest.
    """
    size = size_of(request)
    if target.model == QWEN:
        given: dict[str, Any] = {"prompt": _prompt(request, request.style)}
        if size is not None:
            given["size"] = "{}*{}".format(*_QWEN_SIZES.nearest(size))
        seed = seed_of(request, target)
        return given if seed is None else {**given, "seed": seed}
    if target.model != IDEOGRAM:
        raise InvalidRequest("This provider cannot make that.", details={"param": "model"})
    style = _STYLES.get(request.style)
    given = {"prompt": _prompt(request, "" if style else request.style)}
    if style:
        given["style"] = style
    if size is not None:
        given["aspect_ratio"] = nearest_shape(size, _SHAPES)
    return given


def _prompt(request: ImageRequest, style: str) -> str:
    return prompt_in_words(request, style=style, negative_prompt=request.negative_prompt)


def _is_seed(request: ImageRequest) -> bool:
    """Tell whether the seeds of all pictures are in range; -1 would mean any."""
    seed = request.seed or 0
    return seed >= 0 and seed + request.count - 1 <= _MOST_SEED


def _failed(task: _Task, hosts: tuple[str, ...]) -> UpstreamFailure:
    """Turn a task's end into ours: the prompt was at fault, or the provider."""
    if task.status == "deleted":
        return UpstreamError("The provider deleted what it made before it could be fetched.")
    text = task.error if isinstance(task.error, str) else ""
    last = (text[-_TAIL:].strip().splitlines() or [""])[-1]
    said = shown(last.replace(task.id, "[id]"), hosts).strip()
    if _BLOCKED.search(text[-_TAIL:]):
        return UpstreamRefused(
            said or "The provider's filter held the picture back.", details={"param": "prompt"}
        )
    if task.status == "timeout":
        return UpstreamError("The provider did not finish in time.")
    return UpstreamError(said or "The provider failed to make this.")


def _words(body: bytes) -> ErrorWords:
    """Read an error body; empty words where it is none."""
    try:
        message = _ENVELOPE.decode(body).message
    except UNREADABLE:
        return ErrorWords()
    text = message if isinstance(message, str) else ""
    return ErrorWords(message=text, quota=bool(_SPENT.search(text)))


PROVIDER = WaveSpeed()
