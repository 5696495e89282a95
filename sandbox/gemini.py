"""Google's Gemini API: routes, keys, errors, models, and the forms of an answer.

Source: Google's discovery document v1beta (2026-08-23); `google-genai` Python SDK 3.4.0;
ai.google.dev/gemini-api/docs.
Left out: files, cached contents, batches, tuned models, live sessions, pages of models, and what
the other files of this double name.
"""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs

import msgspec

from sandbox.delivery import BAD_UTF8
from sandbox.faults import HEADER, NO_FAULTS, Faults, UnknownFault, faults_of
from sandbox.gemini_answers import Candidate, Said, answer_to
from sandbox.gemini_checks import check_request
from sandbox.gemini_contents import check_content
from sandbox.gemini_errors import PER_DAY, WireError, bad_fields, bad_key, limited
from sandbox.gemini_fields import read
from sandbox.gemini_images import finish_message
from sandbox.gemini_models import MODELS, Traits, find_model
from sandbox.gemini_usage import Prompt, usage_of
from sandbox.gemini_vectors import embed_batch, embed_one
from sandbox.messages import Json, Reply, Request

_PATH = re.compile(r"/(v1|v1beta)/models(/[^/]+)?")
"""Both versions do what is done here; the official SDK speaks the first, until it is told not to.
"""
_JSON = (b"content-type", b"application/json; charset=UTF-8")
_OVERLOADED = "The model is overloaded. Please try again later."


def answer(request: Request) -> Reply:
    """Answer one request as generativelanguage.googleapis.com would.

    In its query `alt=sse` asks for events instead of a list, and the key may stand there as `key`.
    """
    given = {name: values[-1] for name, values in parse_qs(request.query).items()}
    _, _, rest = request.path.removeprefix("/").partition("/")
    model_id, _, method = rest.removeprefix("models").removeprefix("/").partition(":")
    listed = method == "streamGenerateContent" and given.get("alt") != "sse"
    try:
        return _route(request, given, model_id=model_id, method=method, listed=listed)
    except WireError as error:
        return _error(error, NO_FAULTS, listed=listed)


def _route(
    request: Request, given: dict[str, str], *, model_id: str, method: str, listed: bool
) -> Reply:
    _check_key(request.header(b"x-goog-api-key") or given.get("key", ""), model_id)
    if not _PATH.fullmatch(request.path):
        raise WireError("Requested entity was not found.", code=404)
    if request.method == "GET" and not model_id:
        return _found({"models": [model.describe() for model in MODELS]})
    if request.method == "GET" and not method:
        return _found(find_model(model_id, "get").describe())
    if request.method != "POST" or not method:
        raise WireError("Method not allowed.", code=405, status="UNIMPLEMENTED")
    model = find_model(model_id, method)
    body = _decoded(request.body)
    if method == "embedContent":
        return _found(embed_one(body))
    if method == "batchEmbedContents":
        return _found(embed_batch(body, model_id))
    if method == "countTokens":
        return _count(body, model)
    return _generate(request, body, model, streamed=method.startswith("stream"), listed=listed)


def _check_key(key: str, model_id: str) -> None:
    """Refuse a missing or `invalid` key; `quota` and `ratelimited` in a key name their error."""
    if not key:
        raise WireError(
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key or other form of API Consumer Identity to call this API.",
            code=403,
        )
    if "invalid" in key:
        raise bad_key()
    if "quota" in key:
        raise limited(PER_DAY, "34.074824224", model_id)
    if "ratelimited" in key:
        raise limited("", "1", model_id)


def _found(body: Json) -> Reply:
    return Reply(headers=[_JSON], body=msgspec.json.encode(body))


def _error(error: WireError, faults: Faults, *, listed: bool) -> Reply:
    body = [error.body] if listed else error.body
    return Reply(status=error.code, headers=[_JSON], body=msgspec.json.encode(body), faults=faults)


def _decoded(body: bytes) -> Json:
    try:
        wanted = msgspec.json.decode(body) if body else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise WireError("Invalid JSON payload received. Unexpected token.") from None
    if not isinstance(wanted, dict):
        raise WireError("Invalid JSON payload received. Root element must be a message.")
    return wanted


def _count(body: Json, model: Traits) -> Reply:
    request = read("CountTokensRequest", body)
    if "generateContentRequest" in request and "contents" in request:
        raise WireError("Only one of contents and generate_content_request may be set.")
    counted = request.get("generateContentRequest") or request
    if not counted.get("contents"):
        raise WireError("* CountTokensRequest.contents: contents is not specified\n")
    for index, content in enumerate(counted["contents"]):
        check_content(content, f"contents[{index}]")
    prompt = Prompt(counted, model)
    return _found({"totalTokens": prompt.total, "promptTokensDetails": prompt.details()})


def _generate(
    request: Request, body: Json, model: Traits, *, streamed: bool, listed: bool
) -> Reply:
    try:
        asked, prompt = faults_of(request.headers.get(HEADER), _last_user_text(body))
    except UnknownFault as error:
        raise WireError(str(error)) from None
    faults = request.due(asked) if asked.times else asked
    try:
        if faults.status:
            raise _asked_for(faults, model)
        wanted = check_request(body, model)
        _check_reject(wanted, faults)
        said = answer_to(wanted, model, faults, prompt=prompt, seed=request.digest.hex())
        answers = _Answers(wanted, model, faults, said, request.digest.hex())
    except WireError as error:
        return _error(error, faults, listed=listed)
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError, RecursionError):
        # The checks above do not look into schemas.
        return _error(WireError("A nested value is malformed."), faults, listed=listed)
    return answers.reply(streamed=streamed, listed=listed)


def _last_user_text(wanted: Json) -> str:
    """Read the last text of a user in a body that nothing has checked yet."""
    contents = wanted.get("contents")
    for content in reversed(contents if isinstance(contents, list) else []):
        if isinstance(content, dict) and content.get("role") in (None, "user"):
            parts = content.get("parts")
            texts = [
                part.get("text")
                for part in (parts if isinstance(parts, list) else [parts])
                if isinstance(part, dict)
            ]
            text = " ".join(text for text in texts if isinstance(text, str))
            if text:
                return text
    return ""


def _asked_for(faults: Faults, model: Traits) -> WireError:
    if faults.status == 429:
        return limited(faults.code, faults.retry_after, model.id)
    if faults.status == 503:
        return WireError(_OVERLOADED, code=503)
    text = f"The sandbox was asked to answer {faults.status}."
    return WireError(text, code=faults.status, status=faults.code)


def _check_reject(wanted: Json, faults: Faults) -> None:
    for where, holder in (("", wanted), ("generation_config", wanted.get("generationConfig"))):
        if faults.reject in (holder or {}):
            text = f'Invalid JSON payload received. Unknown name "{faults.reject}"'
            raise bad_fields([(where, f"{text}: Cannot find field.")])


class _Answers:
    """The same answer in each of its forms."""

    def __init__(self, wanted: Json, model: Traits, faults: Faults, said: Said, seed: str) -> None:
        self._prompt = Prompt(wanted, model)
        self._faults = faults
        self._said = said
        self._base = {"modelVersion": model.id, "responseId": seed[:22]}

    def reply(self, *, streamed: bool, listed: bool) -> Reply:
        """Give the answer whole, as events, or as a list of the events' contents."""
        faults, number = self._faults, self._faults.invalid_utf8
        # The shared delivery looks for OpenAI's field; the words here stand in another.
        kept = faults if number is None else msgspec.structs.replace(faults, invalid_utf8=None)
        if not streamed or listed:
            body = b"[%s\n]" % b"\n,\n".join(self._chunks()) if listed else self._whole()
            body = body if number is None else _spoiled(body)
            return Reply(headers=[_JSON], body=body, faults=kept)
        events = (
            b"data: " + (_spoiled(chunk) if count == number else chunk)
            for count, chunk in enumerate(self._chunks())
        )
        broken = b"data: " + msgspec.json.encode(WireError(_OVERLOADED, code=503).body)
        return Reply(events=events, error_event=broken, faults=kept)

    def _whole(self) -> bytes:
        if self._said.block_reason:
            return self._blocked()
        candidates = [
            {**_candidate(index, candidate.parts()), **_ending(candidate)}
            for index, candidate in enumerate(self._said.candidates)
        ]
        return self._encoded({"candidates": candidates}, self._said.output_tokens)

    def _chunks(self) -> Iterator[bytes]:
        """Tell the answer chunk by chunk; what was used so far stands in each."""
        if self._said.block_reason:
            yield self._blocked()
            return
        output = 0
        for index, candidate in enumerate(self._said.candidates):
            *pieces, last = candidate.pieces()
            for parts, tokens in pieces:
                output += tokens
                yield self._encoded({"candidates": [_candidate(index, parts)]}, output)
            if not self._faults.no_done:
                closing = {**_candidate(index, last[0]), **_ending(candidate)}
                yield self._encoded({"candidates": [closing]}, output)

    def _blocked(self) -> bytes:
        reason = self._said.block_reason
        return self._encoded({"promptFeedback": {"blockReason": reason}}, 0)

    def _encoded(self, told: Json, output: int) -> bytes:
        body = {**told, **self._base}
        if not self._faults.missing_usage:
            thoughts = self._said.thinking_tokens * len(self._said.candidates)
            usage = usage_of(self._prompt, self._faults, output=output, thoughts=thoughts)
            if drawn := min(self._said.picture_tokens, output):
                usage["candidatesTokensDetails"] = [{"modality": "IMAGE", "tokenCount": drawn}]
            body["usageMetadata"] = usage
        return msgspec.json.encode(body)


def _candidate(index: int, parts: list[Json]) -> Json:
    content: Json = {"role": "model"}
    if parts:
        content["parts"] = parts
    return {"content": content, "index": index}


def _ending(candidate: Candidate) -> Json:
    ending: Json = {"finishReason": candidate.finish_reason}
    if candidate.finish_reason == "SAFETY":
        rating = {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH"}
        ending["safetyRatings"] = [{**rating, "blocked": True}]
    if message := finish_message(candidate.finish_reason):
        ending["finishMessage"] = message
    return ending


def _spoiled(data: bytes) -> bytes:
    return data.replace(b'"text":"', b'"text":"' + BAD_UTF8, 1)
