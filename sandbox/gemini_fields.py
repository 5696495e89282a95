"""The fields Google's API knows, and how it refuses the others.

Requests are read as protocol buffers in JSON: names in camel or in snake case, null as absent,
integers also as text. Source: Google's discovery document v1beta (2026-08-23); the wording of
unknown fields: github zed-industries/zed issue 44875.
Left out: tools of the server's (search, code, maps), speech, video, cached contents.
"""

import base64
import binascii
import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, TypeAlias

from sandbox.gemini_errors import bad_fields
from sandbox.messages import Json

Kind: TypeAlias = str | tuple[str, ...] | list[str] | dict[str, str]
"""A scalar or a message by name, the words of an enumeration, a list, a map from text."""
Violations: TypeAlias = list[tuple[str, str]]

_CATEGORIES = tuple(
    f"HARM_CATEGORY_{word}"
    for word in (
        *("UNSPECIFIED", "DEROGATORY", "TOXICITY", "VIOLENCE", "SEXUAL", "MEDICAL", "DANGEROUS"),
        *("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT"),
        *("CIVIC_INTEGRITY", "JAILBREAK"),
    )
)
_THRESHOLDS = (
    *("HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE"),
    *("BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"),
)
_RESOLUTIONS = tuple(
    f"MEDIA_RESOLUTION_{word}" for word in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "ULTRA_HIGH")
)
_TYPES = ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
_TASKS = (
    *("TASK_TYPE_UNSPECIFIED", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY"),
    *("CLASSIFICATION", "CLUSTERING", "QUESTION_ANSWERING", "FACT_VERIFICATION"),
    "CODE_RETRIEVAL_QUERY",
)

MESSAGES: MappingProxyType[str, dict[str, Kind]] = MappingProxyType(
    {
        "GenerateContentRequest": {
            "model": "string",
            "contents": ["Content"],
            "systemInstruction": "Content",
            "tools": ["Tool"],
            "toolConfig": "ToolConfig",
            "safetySettings": ["SafetySetting"],
            "generationConfig": "GenerationConfig",
            "cachedContent": "string",
            "store": "boolean",
            "serviceTier": ("unspecified", "standard", "flex", "priority"),
        },
        "Content": {"role": "string", "parts": ["Part"]},
        "Part": {
            "text": "string",
            "inlineData": "Blob",
            "fileData": "FileData",
            "functionCall": "FunctionCall",
            "functionResponse": "FunctionResponse",
            "executableCode": "struct",
            "codeExecutionResult": "struct",
            "toolCall": "struct",
            "toolResponse": "struct",
            "thought": "boolean",
            "thoughtSignature": "bytes",
            "partMetadata": "struct",
            "mediaResolution": "MediaResolution",
            "mediaProcessing": "string",
            "videoMetadata": "struct",
        },
        "MediaResolution": {"level": _RESOLUTIONS},
        "Blob": {"mimeType": "string", "data": "bytes"},
        "FileData": {"fileUri": "string", "mimeType": "string"},
        "FunctionCall": {"id": "string", "name": "string", "args": "struct"},
        "FunctionResponse": {
            "id": "string",
            "name": "string",
            "response": "struct",
            "parts": ["FunctionResponsePart"],
            "scheduling": ("SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"),
            "willContinue": "boolean",
        },
        "FunctionResponsePart": {"inlineData": "Blob"},
        "Tool": {
            "functionDeclarations": ["FunctionDeclaration"],
            **dict.fromkeys(("googleSearch", "googleSearchRetrieval", "googleMaps"), "struct"),
            **dict.fromkeys(("codeExecution", "urlContext", "fileSearch"), "struct"),
            "computerUse": "struct",
            "mcpServers": ["struct"],
        },
        "FunctionDeclaration": {
            "name": "string",
            "description": "string",
            "parameters": "Schema",
            "parametersJsonSchema": "value",
            "response": "Schema",
            "responseJsonSchema": "value",
            "behavior": ("UNSPECIFIED", "BLOCKING", "NON_BLOCKING"),
        },
        "Schema": {
            **dict.fromkeys(("title", "description", "format", "pattern"), "string"),
            **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), "integer"),
            **dict.fromkeys(("minProperties", "maxProperties"), "integer"),
            **dict.fromkeys(("minimum", "maximum"), "number"),
            **dict.fromkeys(("default", "example"), "value"),
            **{name: ["string"] for name in ("enum", "required", "propertyOrdering")},
            "type": _TYPES,
            "nullable": "boolean",
            "items": "Schema",
            "anyOf": ["Schema"],
            "properties": {"": "Schema"},
        },
        "ToolConfig": {
            "functionCallingConfig": "FunctionCallingConfig",
            "retrievalConfig": "struct",
            "includeServerSideToolInvocations": "boolean",
        },
        "FunctionCallingConfig": {
            "mode": ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"),
            "allowedFunctionNames": ["string"],
        },
        "SafetySetting": {"category": _CATEGORIES, "threshold": _THRESHOLDS},
        "GenerationConfig": {
            **dict.fromkeys(("temperature", "topP", "presencePenalty"), "number"),
            **dict.fromkeys(("topK", "candidateCount", "maxOutputTokens", "seed"), "integer"),
            **dict.fromkeys(("responseSchema",), "Schema"),
            **dict.fromkeys(("enableEnhancedCivicAnswers", "enableAffectiveDialog"), "boolean"),
            **dict.fromkeys(("speechConfig", "responseFormat"), "struct"),
            "imageConfig": "ImageConfig",
            **dict.fromkeys(("audioTranscriptionConfig", "translationConfig"), "struct"),
            "frequencyPenalty": "number",
            "logprobs": "integer",
            "responseLogprobs": "boolean",
            "responseMimeType": "string",
            "responseJsonSchema": "value",
            "responseModalities": ["string"],
            "stopSequences": ["string"],
            "mediaResolution": _RESOLUTIONS[:4],
            "thinkingConfig": "ThinkingConfig",
        },
        "ImageConfig": {"aspectRatio": "string", "imageSize": "string"},
        "ThinkingConfig": {
            "includeThoughts": "boolean",
            "thinkingBudget": "integer",
            "thinkingLevel": ("THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH"),
        },
        "CountTokensRequest": {
            "contents": ["Content"],
            "generateContentRequest": "GenerateContentRequest",
        },
        "EmbedContentRequest": {
            "model": "string",
            "content": "Content",
            "taskType": _TASKS,
            "title": "string",
            "outputDimensionality": "integer",
            "embedContentConfig": "EmbedContentConfig",
        },
        "EmbedContentConfig": {
            "taskType": _TASKS,
            "title": "string",
            "outputDimensionality": "integer",
            **dict.fromkeys(("autoTruncate", "documentOcr", "audioTrackExtraction"), "boolean"),
        },
        "BatchEmbedContentsRequest": {"requests": ["EmbedContentRequest"]},
    }
)
_HUMP = re.compile(r"(?<!^)([A-Z])")
_SNAKE = re.compile(r"_([a-z])")
_URL_SAFE = str.maketrans("-_", "+/")


def read(name: str, wanted: Json) -> Json:
    """Read a message; all its fields come back in camel case.

    Raises: WireError, 400, that names every field it could not read.
    """
    wrong: Violations = []
    found = _message(name, wanted, "", wrong)
    if wrong:
        raise bad_fields(wrong)
    return found


def _message(name: str, value: object, where: str, wrong: Violations) -> Json:
    if not isinstance(value, dict):
        wrong.append(_misfit(where, f"message {name}", value))
        return {}
    found: Json = {}
    for key, item in value.items():
        field = _SNAKE.sub(lambda match: match[1].upper(), key)
        kind = MESSAGES[name].get(field)
        if kind is None:
            at = f" at '{where}'" if where else ""
            text = f'Invalid JSON payload received. Unknown name "{key}"{at}: Cannot find field.'
            wrong.append((where, text))
        elif item is not None:
            found[field] = _read(kind, item, _inside(where, field), wrong)
    return found


def _read(kind: Kind, value: object, where: str, wrong: Violations) -> Any:  # noqa: ANN401
    if isinstance(kind, list):
        # A single value counts as a list of one.
        items = value if isinstance(value, list) else [value]
        return [_read(kind[0], item, f"{where}[{at}]", wrong) for at, item in enumerate(items)]
    if isinstance(kind, dict):
        entries = _struct(value, where, wrong)
        return {
            key: _read(kind[""], item, f"{where}.{key}", wrong) for key, item in entries.items()
        }
    if isinstance(kind, tuple):
        return _word(kind, value, where, wrong)
    if kind in MESSAGES:
        return _message(kind, value, where, wrong)
    return _SCALARS[kind](value, where, wrong)


def _word(words: tuple[str, ...], value: object, where: str, wrong: Violations) -> str:
    """Read a word of an enumeration, in whatever case."""
    for word in words:
        if isinstance(value, str) and value.upper() == word.upper():
            return word
    wrong.append(_misfit(where, "an enumeration", value))
    return words[0]


def _struct(value: object, where: str, wrong: Violations) -> Json:
    if isinstance(value, dict):
        return value
    wrong.append(_misfit(where, "type.googleapis.com/google.protobuf.Struct", value))
    return {}


def _string(value: object, where: str, wrong: Violations) -> str:
    if isinstance(value, str):
        return value
    wrong.append(_misfit(where, "TYPE_STRING", value))
    return ""


def _boolean(value: object, where: str, wrong: Violations) -> bool:
    if isinstance(value, bool):
        return value
    wrong.append(_misfit(where, "TYPE_BOOL", value))
    return False


def _number(value: object, where: str, wrong: Violations) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    wrong.append(_misfit(where, "TYPE_FLOAT", value))
    return 0


def _integer(value: object, where: str, wrong: Violations) -> int:
    if isinstance(value, str) and value.removeprefix("-").isdigit() and len(value) < 20:
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        if abs(value) < 2**31:
            return int(value)
        wrong.append((where, f"Invalid value at '{where}' (TYPE_INT32), {value} is out of range"))
        return 0
    wrong.append(_misfit(where, "TYPE_INT32", value))
    return 0


def _bytes(value: object, where: str, wrong: Violations) -> str:
    """Read base64, the usual or the one for addresses, padded or not; it stays as it came."""
    text = _string(value, where, wrong)
    try:
        plain = text.rstrip("=").translate(_URL_SAFE)
        base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        said = (
            f"Invalid value at '{where}' (TYPE_BYTES), Base64 decoding failed for \"{text[:40]}\""
        )
        wrong.append((where, said))
    return text


def _value(value: object, _where: str, _wrong: Violations) -> object:
    return value


_SCALARS: MappingProxyType[str, Callable[[object, str, Violations], object]] = MappingProxyType(
    {
        "string": _string,
        "boolean": _boolean,
        "number": _number,
        "integer": _integer,
        "bytes": _bytes,
        "struct": _struct,
        "value": _value,
    }
)


def _misfit(where: str, expected: str, value: object) -> tuple[str, str]:
    return where, f"Invalid value at '{where}' ({expected}), {str(value)[:80]!r}"


def _inside(where: str, field: str) -> str:
    name = _HUMP.sub(lambda match: f"_{match[1].lower()}", field)
    return f"{where}.{name}" if where else name
