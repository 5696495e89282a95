"""Replicate: predictions that run for a while, are asked for or announce their end, and whose files
lie at addresses of its own for an hour.

Source: Replicate's OpenAPI 1.0.0-a1 (stored copy of 2026-04); `replicate` Python SDK 1.0.7;
replicate.com docs, Prediction lifecycle and Verify webhooks, changelog 2025-10-16: which ends are
billed. Bodies of errors: replies of the live API quoted in public repositories (2025, 2026).
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct

from gateway.operations.image import ImageRequest
from gateway.operations.media import MadeFile, MediaUse
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamError,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamRequest,
)
from gateway.providers.failures import ErrorWords, shown
from gateway.providers.flux import GRAMMARS, Grammar, input_of
from gateway.providers.media import Made, MediaRequest, MediaTarget, Progress, Running, Stopped
from gateway.providers.openai_form import failure_meant
from studio.core.errors import InvalidRequest

_JSON = {"content-type": "application/json", "accept": "application/json"}
_LEAST_LIFE_S = 5
_PATIENCE_S = 30.0
_SIGNATURE_LIFE_S = 300
_MOST_SIGNATURES = 16
_LONGEST_ADDRESS = 4096
_TAIL = 4000
"""How much of a log is looked at, from its end."""
_BAR = re.compile(r"(\d{1,3})%\s*\|[^|\n]*\|\s*\d+/\d+")
_BLOCKED = re.compile(r"nsfw|flagged|sensitive|safety|moderat|content polic|E005", re.IGNORECASE)
_CODES = re.compile(r"\s*\((?:E\d{3,5}|code: \w+|(?=[A-Za-z_-]*\d)[\w-]{10})\)")
_PREDICTION_ID = re.compile(r"\b(?=[a-z]*\d)[a-z0-9]{26}\b")
_PLACES = re.compile(r"(?<![\w./:])/(?:[\w.-]+/)+[\w.-]+")
"""Paths in the machine the model runs on."""
_WAIT = re.compile(r"(?:resets in|available in) ~?(\d{1,5}) ?s", re.IGNORECASE)
_SPENT = re.compile(r"insufficient credit|spend limit", re.IGNORECASE)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_encode = msgspec.json.Encoder().encode


class _Prediction(Struct):
    """The part of a prediction that is looked at; `output` is whatever the model gave."""

    id: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,128}\Z")]
    status: str
    output: Any = None
    error: Any = None
    logs: Any = None
    data_removed: Any = None


class _Problem(Struct):
    detail: Any = None
    title: Any = None
    invalid_fields: Any = None


_PREDICTION = msgspec.json.Decoder(_Prediction)
_PROBLEM = msgspec.json.Decoder(_Problem)


class Replicate:
    """Replicate's predictions of the Flux models."""

    slug = "replicate"
    default_base_url = "https://api.replicate.com/v1"
    hosts = ("api.replicate.com", "replicate.delivery")
    file_hosts = ("replicate.delivery", ".replicate.delivery")
    operations = frozenset({"image"})

    def auth(self, key: str) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"authorization": f"Bearer {key}"}

    def file_headers(self, key: str) -> dict[str, str]:
        """Give the headers that fetching a file takes: its documentation asks for the key."""
        return self.auth(key)

    def unsupported_media(self, request: MediaRequest, target: MediaTarget) -> str | None:
        """Name what Flux cannot do: music, another model, things not to show, nothing behind them.

        A seed belongs to a whole batch, so images in several batches would be the same again.
        """
        grammar = GRAMMARS.get(target.model)
        if not isinstance(request, ImageRequest):
            return "operation"
        if grammar is None:
            return "model"
        if request.negative_prompt:
            return "negative_prompt"
        if request.background == "transparent":
            return "background"
        if request.seed is not None and request.count > grammar.most_images:
            return "seed"
        return None

    def most_per_run(self, request: MediaRequest, target: MediaTarget) -> int:
        """Give how many images one prediction makes at most."""
        grammar = GRAMMARS.get(target.model)
        return 1 if grammar is None else grammar.most_images

    def patience_s(self, request: MediaRequest, target: MediaTarget) -> float:
        """Give how long the answer to a submission may take: it never waits for the images."""
        return _PATIENCE_S

    def build_submission(self, request: MediaRequest, target: MediaTarget) -> UpstreamRequest:
        """Write the request for a prediction, which Replicate stops when we stop waiting.

        Raises: InvalidRequest for another model or operation.
        """
        asked, grammar = _known(request, target)
        given = input_of(asked, grammar, target.count)
        for name in target.drop_parameters:
            if name != "prompt":
                given.pop(name, None)
        body: dict[str, Any] = {"input": given}
        if target.callback_url:
            body["webhook"] = target.callback_url
            body["webhook_events_filter"] = ["completed"]
        life_s = max(target.deadline_s, _LEAST_LIFE_S)
        return UpstreamRequest(
            path=f"/models/{target.model}/predictions",
            body=_encode(body),
            headers={**_JSON, "cancel-after": f"{life_s}s"},
        )

    def parse_submission(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Read the prediction, which may be done already. Raises: UpstreamFailure."""
        if answer.status not in (200, 201, 202):
            raise self.parse_error(answer.status, answer.headers, answer.body)
        return self._progress(request, target, _read(answer.body, retryable=False))

    def build_poll(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest:
        """Write the question how a prediction stands."""
        return _ask("GET", upstream_id)

    def parse_poll(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Read how a prediction stands: its messages and the answer to a cancel are read likewise.

        Raises: UpstreamFailure.
        """
        if answer.status == 404:
            text = "The provider no longer knows what it was asked to make."
            raise UpstreamError(text, provider_status=404)
        if answer.status not in (200, 201, 202):
            raise self.parse_error(answer.status, answer.headers, answer.body)
        return self._progress(request, target, _read(answer.body, retryable=True))

    def build_cancel(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest | None:
        """Write the request that stops a prediction."""
        return _ask("POST", upstream_id, "/cancel")

    def is_genuine(
        self, headers: Mapping[str, str], body: bytes, *, secret: str, now_s: float
    ) -> bool:
        """Check the signature and the age of a message, against each of its signatures."""
        message_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        key = _signing_key(secret)
        if not key or not message_id or not re.fullmatch(r"[0-9]{1,12}", at):
            return False
        signed = f"{message_id}.{at}.".encode(errors="replace") + body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
        found = False
        for signature in headers.get("webhook-signature", "").split()[:_MOST_SIGNATURES]:
            version, _, given = signature.partition(",")
            same = hmac.compare_digest(given.encode(errors="replace"), expected)
            found |= same and version == "v1"
        return found and abs(now_s - int(at)) <= _SIGNATURE_LIFE_S

    def upstream_id_of(self, body: bytes) -> str | None:
        """Read which prediction a message is about; None if it is not to be read."""
        try:
            return _PREDICTION.decode(body).id
        except _UNREADABLE:
            return None

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """Read an answer that is no success; when to come back may stand in its text only."""
        words = _words(body)
        wait = _WAIT.search(words.message)
        if wait is not None and "retry-after" not in headers:
            headers = {**headers, "retry-after": wait[1]}
        meant = 429 if words.quota or status == 402 else status
        words = msgspec.structs.replace(words, quota=words.quota or status == 402)
        return failure_meant(meant, status, headers, words, hosts=self.hosts)

    def _progress(
        self, request: MediaRequest, target: MediaTarget, prediction: _Prediction
    ) -> Progress:
        """Tell how a prediction stands.

        After a wait its status may lag behind an output that is already whole. Source: the SDK's
        `run.py`. A status we do not know is taken for one on the way. Raises: UpstreamFailure.
        """
        asked, _ = _known(request, target)
        status = prediction.status
        if status == "failed":
            raise _failed(prediction, self.hosts)
        if status in ("canceled", "aborted"):
            return Stopped(billed=status == "canceled")
        files = _files(prediction.output, asked.seed)
        if status != "succeeded" and len(files) < target.count:
            return Running(upstream_id=prediction.id, progress=_share_done(prediction.logs))
        if not files:
            raise _nothing(prediction)
        files = files[: target.count]
        use = MediaUse(item_count=len(files), size=asked.size, quality=asked.quality)
        return Made(files=tuple(files), use=use, blocked=target.count - len(files))


def _known(request: MediaRequest, target: MediaTarget) -> tuple[ImageRequest, Grammar]:
    grammar = GRAMMARS.get(target.model)
    if not isinstance(request, ImageRequest) or grammar is None:
        raise InvalidRequest("This provider cannot make that.", details={"param": "model"})
    return request, grammar


def _ask(method: str, upstream_id: str, what: str = "") -> UpstreamRequest:
    path = f"/predictions/{quote(upstream_id, safe='')}{what}"
    return UpstreamRequest(
        path=path, body=b"", headers={"accept": "application/json"}, method=method
    )


def _read(body: bytes, *, retryable: bool) -> _Prediction:
    """Read a prediction. Raises: UpstreamInvalid; `retryable` if asking again is harmless."""
    try:
        return _PREDICTION.decode(body)
    except _UNREADABLE as error:
        failure = UpstreamInvalid("The provider's answer cannot be read.")
        failure.retryable = retryable
        raise failure from error


def _files(output: object, seed: int | None) -> list[MadeFile]:
    """Give the files of an output, one or several; none if it is anything else."""
    listed = output if isinstance(output, list) else [output]
    found = [_file(one, seed) for one in listed if isinstance(one, str)]
    return [file for file in found if file is not None]


def _file(text: str, seed: int | None) -> MadeFile | None:
    """Read an address, or a file written out as one (`data:`), which the SDK reads too."""
    if text.startswith(("https://", "http://")) and len(text) <= _LONGEST_ADDRESS:
        return MadeFile(url=text, seed=seed)
    head, _, encoded = text.partition(";base64,")
    if not head.startswith("data:"):
        return None
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return MadeFile(data=data, media_type=head.removeprefix("data:"), seed=seed) if data else None


def _nothing(prediction: _Prediction) -> UpstreamFailure:
    """Tell why a success has no files: deleted after its hour, all held back, or no answer."""
    if prediction.data_removed is True:
        return UpstreamError("The provider deleted what it made before it could be fetched.")
    if prediction.output == []:
        return _refused("")
    return UpstreamInvalid("The provider's answer holds no files.")


def _failed(prediction: _Prediction, hosts: tuple[str, ...]) -> UpstreamFailure:
    """Turn a model's own error into ours: the prompt was at fault, or the model."""
    text = prediction.error if isinstance(prediction.error, str) else ""
    said = _cleaned(text.replace(prediction.id, "[id]"), hosts)
    if _BLOCKED.search(text[-_TAIL:]):
        return _refused(said)
    return UpstreamError(said or "The provider failed to make this.")


def _refused(said: str) -> UpstreamRefused:
    message = said or "The provider's filter held back everything that was made."
    return UpstreamRefused(message, details={"param": "prompt"})


def _cleaned(text: str, hosts: tuple[str, ...]) -> str:
    """Keep of a model's error what a caller can use: its last line, without codes, ids, paths."""
    last = (text[-_TAIL:].strip().splitlines() or [""])[-1]
    last = _PREDICTION_ID.sub("[id]", _CODES.sub("", last))
    return shown(_PLACES.sub("[path]", last), hosts).strip()


def _share_done(logs: object) -> float | None:
    """Read the last progress bar of a log. Source: the SDK's `prediction.py`."""
    if not isinstance(logs, str):
        return None
    bars = _BAR.findall(logs[-_TAIL:])
    return min(int(bars[-1]), 100) / 100 if bars else None


def _words(body: bytes) -> ErrorWords:
    """Read an error body; empty words where it is none."""
    try:
        problem = _PROBLEM.decode(body)
    except _UNREADABLE:
        return ErrorWords()
    message = next((one for one in (problem.detail, problem.title) if isinstance(one, str)), "")
    fields = problem.invalid_fields
    first = fields[0] if isinstance(fields, list) and fields else None
    field = first.get("field") if isinstance(first, dict) else None
    return ErrorWords(
        message=message,
        param=field.removeprefix("input.") if isinstance(field, str) else "",
        quota=bool(_SPENT.search(message)),
    )


def _signing_key(secret: str) -> bytes:
    """Read the key of a signing secret; empty if it is none."""
    prefix, _, encoded = secret.partition("_")
    if prefix != "whsec":
        return b""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""


PROVIDER = Replicate()
