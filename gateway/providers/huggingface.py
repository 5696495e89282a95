"""Hugging Face's router: other companies' inference behind one key and one bill.

The model in the catalogue names who serves it and that company's own id, `fal-ai/fal-ai/flux/dev`
or `nscale/black-forest-labs/FLUX.1-schnell`: what Hugging Face's clients look up first
(`GET https://huggingface.co/api/models/{id}?expand=inferenceProviderMapping`) is written down once.
Source: `huggingface_hub` 2.4.0; huggingface/hub-docs @242f4a1 (2026-08-22); bodies of errors:
replies quoted in github fal-ai/fal #1043 (402) and fal.ai's documentation of errors (`detail`);
`estimated_time` of a model that is being loaded is the older API's.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from gateway.operations.image import ImageRequest
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamError,
    UpstreamFailure,
    UpstreamRequest,
)
from gateway.providers.failures import ErrorWords
from gateway.providers.huggingface_forms import FORMS, SIZES, Form
from gateway.providers.images_form import (
    UNREADABLE,
    file_problem,
    image_asked_for,
    size_of,
)
from gateway.providers.media import MediaRequest, MediaTarget, Progress
from gateway.providers.openai_form import failure_meant
from gateway.providers.wavespeed import FILE_HOSTS as WAVESPEED_FILES
from gateway.providers.wavespeed import status_inside
from studio.core.errors import InvalidRequest

_MOST_SEED = 2**31 - 1
_OVERLOADED = 529
_SPENT = re.compile(
    r"monthly (?:included )?credits|pay-as-you|insufficient (?:credit|balance)|"
    r"not_enough_balance|exhausted balance",
    re.IGNORECASE,
)
_LONGEST_PLAIN = 300
_JSON = {"content-type": "application/json"}
_encode = msgspec.json.Encoder().encode


class _Problem(Struct):
    """What an error says; each company behind the router has a field of its own for it."""

    error: Any = None
    detail: Any = None
    message: Any = None
    estimated_time: Any = None


_PROBLEM = msgspec.json.Decoder(_Problem)


class HuggingFace:
    """Hugging Face's Inference Providers, for images."""

    slug = "huggingface"
    default_base_url = "https://router.huggingface.co"
    hosts = (
        *("router.huggingface.co", "api.fal.ai", "v3.fal.media", "fal.run"),
        *("inference.api.nscale.com", "api.together.xyz", "api.replicate.com"),
        *("replicate.delivery", "api.wavespeed.ai", "d1q70pf5vjeyhc.cloudfront.net"),
    )
    file_hosts = (
        *("fal.media", ".fal.media", "replicate.delivery", ".replicate.delivery"),
        *WAVESPEED_FILES,
    )
    operations = frozenset({"image"})

    def auth(self, key: str) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"authorization": f"Bearer {key}"}

    def file_headers(self, key: str) -> dict[str, str]:
        """Give nothing: files lie with others, who are not to see the key."""
        return {}

    def unsupported_media(self, request: MediaRequest, target: MediaTarget) -> str | None:
        """Name what no model behind the router has, and `model` where nobody is named that we know.

        Steps and guidance are left out where they mean nothing.
        """
        asked = image_asked_for(request, target)
        form, model = _served(target)
        if form is None or not form.knows(model):
            return "model"
        size = size_of(asked)
        if size is not None and SIZES.is_out_of_reach(size):
            return "size"
        if asked.seed is not None and not 0 <= asked.seed <= _MOST_SEED - (asked.count - 1):
            return "seed"
        if asked.background == "transparent":
            return "background"
        return "moderation" if asked.moderation == "low" else file_problem(asked)

    def most_per_run(self, request: MediaRequest, target: MediaTarget) -> int:
        """Ask for one: few of them make more."""
        return 1

    def patience_s(self, request: MediaRequest, target: MediaTarget) -> float:
        """Give how long the answer to a submission may take."""
        form, _ = _known(target)
        return min(form.patience_s, target.deadline_s)

    def build_submission(self, request: MediaRequest, target: MediaTarget) -> UpstreamRequest:
        """Write the request in the form of whoever serves it. Raises: InvalidRequest."""
        form, model = _known(target)
        body = form.body(image_asked_for(request, target), target, model)
        accepted = {"accept": "image/*" if "inputs" in body else "application/json"}
        headers = {**_JSON, **accepted, **form.held}
        return UpstreamRequest(path=form.path(model), body=_encode(body), headers=headers)

    def parse_submission(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Read the picture, or the task that was taken. Raises: UpstreamFailure."""
        return self._progress(request, target, answer, again=False)

    def build_poll(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest:
        """Write the question how a task stands; those who make tasks are asked."""
        form, _ = _known(target)
        assert form.pending, "only tasks are asked for"
        path = form.pending.format(quote(upstream_id, safe=""))
        headers = {"accept": "application/json"}
        return UpstreamRequest(path=path, body=b"", headers=headers, method="GET")

    def parse_poll(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Read how a task stands. Raises: UpstreamFailure."""
        if answer.status == 404:
            text = "The provider no longer knows what it was asked to make."
            raise UpstreamError(text, provider_status=404)
        return self._progress(request, target, answer, again=True)

    def build_cancel(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest | None:
        """Say that there is no way to stop a task: Hugging Face's clients know none."""
        return None

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """Read an answer that is no success; 402 is our money there."""
        words, wait = _read(body)
        meant = status
        if status == 402 or (words.quota and 400 <= status < 500):
            meant, words = 429, msgspec.structs.replace(words, quota=True)
        elif status == 503 and wait:
            meant, headers = _OVERLOADED, {"retry-after": wait, **headers}
        return failure_meant(meant, status, headers, words, hosts=self.hosts)

    def _progress(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer, *, again: bool
    ) -> Progress:
        form, _ = _known(target)
        if answer.status not in (200, 201, 202):
            raise self.parse_error(answer.status, answer.headers, answer.body)
        inside = status_inside(answer.body) if form.pending else None
        if inside is not None:
            raise self.parse_error(inside, answer.headers, answer.body)
        asked: ImageRequest = image_asked_for(request, target)
        return form.read(asked, target, answer, again=again)


def _served(target: MediaTarget) -> tuple[Form | None, str]:
    """Give the form of whoever serves a model, and its id there."""
    who, _, model = target.model.partition("/")
    return FORMS.get(who), model


def _known(target: MediaTarget) -> tuple[Form, str]:
    form, model = _served(target)
    if form is None:
        raise InvalidRequest("This provider cannot make that.", details={"param": "model"})
    return form, model


def _read(body: bytes) -> tuple[ErrorWords, str]:
    """Read an error body, JSON or a line of text; and how long a model takes to be loaded."""
    try:
        problem = _PROBLEM.decode(body)
    except UNREADABLE:
        text = _plain(body)
        return ErrorWords(message=text, quota=bool(_SPENT.search(text))), ""
    found = (_said(one) for one in (problem.error, problem.detail, problem.message))
    message = next((text for text in found if text), "")
    wait = problem.estimated_time
    known = type(wait) in (int, float) and 0 <= wait < 3600
    return ErrorWords(message=message, quota=bool(_SPENT.search(message))), (
        str(wait) if known else ""
    )


def _said(value: object) -> str:
    """Read a text, or the first of several, or what an object calls its message."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("message") or value.get("msg")
    return value if isinstance(value, str) else ""


def _plain(body: bytes) -> str:
    """Read a short line that is no page of HTML; empty otherwise."""
    try:
        text = body[:_LONGEST_PLAIN].decode().strip()
    except UnicodeDecodeError:
        return ""
    return "" if text.startswith(("<", "{", "[")) else text


PROVIDER = HuggingFace()
