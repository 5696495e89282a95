"""Which turns and parts Google refuses: roles, media, calls and their responses, signatures.

Source: Google's discovery document v1beta (2026-08-23), Content and Part; ai.google.dev,
Function calling, Thought signatures (the first call of each step of the current turn is checked;
two dummies pass), File input methods; the wording follows replies of the live API as quoted in
github google-gemini/gemini-cli issues 4217 and 5443 and lbjlaq/Antigravity-Manager issue 3202.
"""

import base64
import hashlib
from collections.abc import Iterator

import msgspec

from sandbox.gemini_errors import WireError
from sandbox.gemini_models import Traits
from sandbox.messages import Json

DUMMIES = ("context_engineering_is_the_way_to_go", "skip_thought_signature_validator")
"""Signatures for calls that Gemini did not make."""
MEDIA_TYPES = (
    *("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "image/gif"),
    *("image/avif", "application/pdf", "application/json"),
)
MEDIA_FAMILIES = ("text/", "audio/", "video/")
_DATA = (
    *("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode"),
    *("codeExecutionResult", "toolCall", "toolResponse"),
)
_OURS = "https://generativelanguage.googleapis.com/"


def sign(text: str) -> str:
    """Sign a thought or a call, so that it is known when it comes back."""
    digest = hashlib.sha512(b"gemini sandbox: " + text.encode()).digest()
    return base64.b64encode(digest).decode()


def sign_call(call: Json) -> str:
    """Sign the thought that led to a call. Its id does not count, other clients make their own."""
    arguments = msgspec.json.encode(call.get("args") or {}, order="deterministic")
    return sign(f"{call['name']} {arguments.decode()}")


def check_contents(contents: list[Json], model: Traits) -> None:
    """Refuse what the API refuses of `contents`. Raises: WireError."""
    if not contents:
        raise _missing("contents", "contents is not specified")
    for index, content in enumerate(contents):
        check_content(content, f"contents[{index}]")
        _check_role(content)
    _check_order(contents)
    if model.signs:
        _check_signatures(contents)
    if not model.prefill and _role(contents[-1]) == "model":
        raise WireError("Requests ending with a model turn are not supported.")


def check_content(content: Json, where: str) -> None:
    """Refuse a content without parts, and parts that hold nothing or two things."""
    if not content.get("parts"):
        raise _missing(f"{where}.parts", "contents.parts must not be empty.")
    for index, part in enumerate(content["parts"]):
        held = [name for name in _DATA if name in part]
        place = f"{where}.parts[{index}].data"
        if not held:
            raise _missing(place, "required oneof field 'data' must have one initialized field")
        if len(held) > 1:
            raise _missing(place, f"oneof field 'data' is already set. Cannot set '{held[1]}'")
        _check_data(held[0], part[held[0]], place)


def calls_of(content: Json) -> list[Json]:
    """Give the function calls of a content."""
    return [part["functionCall"] for part in content["parts"] if "functionCall" in part]


def responses_of(content: Json) -> list[Json]:
    """Give the function responses of a content."""
    return [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]


def _check_data(kind: str, data: Json, where: str) -> None:
    if kind == "inlineData":
        _check_media(data)
    elif kind == "fileData":
        _check_file(data)
    elif kind in ("functionCall", "functionResponse"):
        if not data.get("name"):
            raise _missing(f"{where}.name", "Name cannot be empty.")
        if kind == "functionResponse" and "response" not in data:
            raise _missing(f"{where}.response", "response must be set.")
    elif kind != "text":
        raise WireError(f"The sandbox has no {kind}.")


def _check_media(blob: Json) -> None:
    kind = blob.get("mimeType", "")
    if kind not in MEDIA_TYPES and not kind.startswith(MEDIA_FAMILIES):
        raise WireError(f"Unsupported MIME type: {kind}")
    if not blob.get("data"):
        raise WireError("Unable to process input image. Please retry or report.")


def _check_file(file: Json) -> None:
    address = file.get("fileUri", "")
    if address.startswith(_OURS):
        name = address.rsplit("/", 1)[1]
        raise WireError(
            f"You do not have permission to access the File {name} or it may not exist.", code=403
        )
    if not address.startswith("https://"):
        raise WireError(f"Invalid or unsupported file uri: {address}")
    if "mimeType" in file:
        _check_media({"mimeType": file["mimeType"], "data": "AA=="})


def _role(content: Json) -> str:
    role: str = content.get("role") or "user"
    return role


def _check_role(content: Json) -> None:
    role = _role(content)
    if role not in ("user", "model"):
        raise WireError(f"Role '{role}' is not supported. Please use a valid role: user, model.")
    if role == "user" and calls_of(content):
        raise WireError("Function call parts are only allowed in turns of the model.")
    if role == "model" and responses_of(content):
        raise WireError("Function response parts are only allowed in turns of the user.")


def _check_order(contents: list[Json]) -> None:
    """Refuse calls without their responses in the next turn, and responses without their calls."""
    for before, content, after in _neighbours(contents):
        responses = responses_of(content)
        if responses and (before is None or not calls_of(before)):
            raise WireError(
                "Please ensure that function response turn comes immediately after a function "
                "call turn."
            )
        calls = calls_of(content)
        if not calls:
            continue
        if before is None or _role(before) != "user":
            raise WireError(
                "Please ensure that function call turn comes immediately after a user turn or "
                "after a function response turn."
            )
        if after is not None:
            _check_answered(calls, responses_of(after))


def _neighbours(contents: list[Json]) -> Iterator[tuple[Json | None, Json, Json | None]]:
    for index, content in enumerate(contents):
        before = contents[index - 1] if index else None
        after = contents[index + 1] if index + 1 < len(contents) else None
        yield before, content, after


def _check_answered(calls: list[Json], responses: list[Json]) -> None:
    if len(calls) != len(responses):
        raise WireError(
            "Please ensure that the number of function response parts is equal to the number of "
            "function call parts of the function call turn."
        )
    # The official SDK leaves the ids out when it calls a function by itself.
    known = {(call.get("id"), call["name"]) for call in calls}
    names = sorted(call["name"] for call in calls)
    strange = [one for one in responses if "id" in one and (one["id"], one["name"]) not in known]
    if strange or names != sorted(response["name"] for response in responses):
        raise WireError(
            "Please ensure that the id and the name of each function response match those of a "
            "function call."
        )


def _check_signatures(contents: list[Json]) -> None:
    """Refuse a step of the current turn whose first call is unsigned, or wrongly signed."""
    spoken = [
        index
        for index, content in enumerate(contents)
        if _role(content) == "user" and not responses_of(content)
    ]
    for index in range(spoken[-1] if spoken else 0, len(contents)):
        parts = [part for part in contents[index]["parts"] if "functionCall" in part]
        if not parts:
            continue
        call, signature = parts[0]["functionCall"], parts[0].get("thoughtSignature")
        if not signature:
            raise WireError(
                "Function call is missing a thought_signature in functionCall parts. This is "
                "required for tools to work correctly, and missing thought_signature may lead to "
                f"degraded model performance. Additional data, function call "
                f"`default_api:{call['name']}` , position {index + 1}."
            )
        if _bytes(signature) not in (*_PASSING, _bytes(sign_call(call))):
            raise WireError("Corrupted thought signature.")


def _bytes(signature: str) -> bytes:
    """Decode base64, which the official SDK sends back in its form for addresses."""
    plain = signature.rstrip("=").translate(str.maketrans("-_", "+/"))
    return base64.b64decode(plain + "=" * (-len(plain) % 4))


_PASSING = (*map(_bytes, DUMMIES), *(dummy.encode() for dummy in DUMMIES))
"""The dummies, taken for base64 as they stand, and encoded."""


def _missing(where: str, text: str) -> WireError:
    return WireError(f"* GenerateContentRequest.{where}: {text}\n")
