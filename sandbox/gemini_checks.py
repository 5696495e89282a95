"""Which requests Google refuses beyond unknown fields: bounds, thinking, formats, tools.

Source: Google's discovery document v1beta (2026-08-23), GenerateContentRequest; ai.google.dev,
Thinking, Function calling, Structured output; docs.cloud.google.com, Gemini 3.5 Flash-Lite (no
penalties); the wording follows replies of the live API, only status and place are worth a test.
Left out: tools of the server's, speech, cached contents; pictures are gemini_images.py's.
"""

import re
from types import MappingProxyType
from typing import Any

from sandbox.gemini_contents import check_content, check_contents
from sandbox.gemini_errors import WireError
from sandbox.gemini_fields import read
from sandbox.gemini_images import check_modalities
from sandbox.gemini_models import Traits
from sandbox.messages import Json

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
_FORMATS = ("text/plain", "application/json", "text/x.enum")
_BOUNDS: MappingProxyType[str, tuple[float, float]] = MappingProxyType(
    {
        "temperature": (0, 2),
        "topP": (0, 1),
        "topK": (1, 2**31),
        "candidateCount": (1, 8),
        "maxOutputTokens": (1, 2**31),
        "presencePenalty": (-2, 2),
        "frequencyPenalty": (-2, 2),
    }
)
_ABSENT = (
    *("speechConfig", "responseFormat", "audioTranscriptionConfig"),
    *("translationConfig", "responseLogprobs", "logprobs"),
)
MOST_STOPS = 5


def check_request(body: Json, model: Traits) -> Json:
    """Read a request to generate. Raises: WireError."""
    wanted = read("GenerateContentRequest", body)
    if "cachedContent" in wanted:
        raise WireError("CachedContent not found (or permission denied)", code=403)
    check_contents(wanted.get("contents") or [], model)
    if "systemInstruction" in wanted:
        check_content(wanted["systemInstruction"], "system_instruction")
    names = _check_tools(wanted.get("tools") or [])
    _check_calling(wanted.get("toolConfig") or {}, names)
    config = wanted.get("generationConfig") or {}
    _check_bounds(config)
    _check_for_model(config, model)
    _check_thinking(config.get("thinkingConfig") or {}, model)
    _check_format(config, model, has_tools=bool(names))
    return wanted


def _refuse(where: str, text: str) -> WireError:
    return WireError(f"* GenerateContentRequest.{where}: {text}\n")


def _check_bounds(config: Json) -> None:
    for name, (low, high) in _BOUNDS.items():
        value: Any = config.get(name)
        if value is not None and not low <= value <= high:
            raise _refuse(f"generation_config.{name}", f"must be in the range [{low}, {high}].")
    stops = config.get("stopSequences") or []
    if len(stops) > MOST_STOPS or "" in stops:
        raise _refuse("generation_config.stop_sequences", f"at most {MOST_STOPS}, none empty.")


def _check_for_model(config: Json, model: Traits) -> None:
    if config.get("candidateCount", 1) > model.most_candidates:
        raise WireError("Multiple candidates is not enabled for this model")
    if config.get("maxOutputTokens", 1) > model.output_tokens:
        raise WireError(
            f"Unable to submit request because it has a maxOutputTokens value of "
            f"{config['maxOutputTokens']} but the supported range is from 1 (inclusive) to "
            f"{model.output_tokens + 1} (exclusive)."
        )
    if not model.penalties and (config.get("presencePenalty") or config.get("frequencyPenalty")):
        raise WireError(f"Penalty is not enabled for models/{model.id}")
    for name in _ABSENT:
        if config.get(name):
            raise WireError(f"{name} is not enabled for models/{model.id}")
    check_modalities(config, model)


def _check_thinking(config: Json, model: Traits) -> None:
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    if level is not None and budget is not None:
        raise WireError("You can only set only one of thinking budget and thinking level.")
    if level is not None and not model.levels:
        raise WireError("Thinking level is not supported for this model.")
    if budget is not None and model.budgets is not None:
        _check_budget(budget, *model.budgets)
    if model.levels and (level or level_of(budget)) not in (*model.levels, None):
        name = level or level_of(budget)
        raise WireError(f"Thinking level {name} is not supported for this model.")
    if budget == 0 and config.get("includeThoughts"):
        raise WireError("Include_thoughts is only enabled when thinking is enabled.")


def level_of(budget: int | None) -> str | None:
    """Give the level that a model of levels takes a budget for; a dynamic one is none."""
    if budget is None or budget < 0:
        return None
    if budget <= 1024:
        return "LOW" if budget else "MINIMAL"
    return "MEDIUM" if budget <= 8192 else "HIGH"


def _check_budget(budget: int, least: int, most: int) -> None:
    if budget == 0 and least:
        raise WireError("Budget 0 is invalid. This model only works in thinking mode.")
    if budget != -1 and not least <= budget <= most:
        raise WireError(
            f"The thinking budget {budget} is invalid. Please choose a value between {least} and "
            f"{most}."
        )


def _check_format(config: Json, model: Traits, *, has_tools: bool) -> None:
    kind = config.get("responseMimeType") or "text/plain"
    where = "generation_config.response_mime_type"
    if kind not in _FORMATS:
        raise _refuse(where, f"allowed mimetypes are {', '.join(_FORMATS)}.")
    if "responseSchema" in config and "responseJsonSchema" in config:
        raise _refuse("generation_config", "response_schema and response_json_schema are both set.")
    if kind == "text/plain" and ("responseSchema" in config or "responseJsonSchema" in config):
        raise _refuse(where, "a response schema needs the type application/json.")
    if kind != "text/plain" and has_tools and not model.json_with_tools:
        raise WireError(f"Function calling with a response mime type: '{kind}' is unsupported")


def _check_tools(tools: list[Json]) -> list[str]:
    """Check the tools. Returns: the names of the functions."""
    names: list[str] = []
    for index, tool in enumerate(tools):
        for kind in tool:
            if kind != "functionDeclarations":
                raise WireError(f"The sandbox has no {kind}.")
        for at, function in enumerate(tool.get("functionDeclarations") or []):
            where = f"tools[{index}].function_declarations[{at}]"
            _check_function(function, where)
            if function["name"] in names:
                raise _refuse(where, f"Duplicate function declaration found: {function['name']}")
            names.append(function["name"])
    return names


def _check_function(function: Json, where: str) -> None:
    if not _NAME.fullmatch(function.get("name", "")):
        raise _refuse(
            f"{where}.name",
            "Invalid function name. Must start with a letter or an underscore. Must be "
            "alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), "
            "with a maximum length of 128.",
        )
    if "parameters" in function and "parametersJsonSchema" in function:
        raise _refuse(where, "parameters and parameters_json_schema are both set.")
    schema = function.get("parameters") or function.get("parametersJsonSchema")
    if schema is None:
        return
    if not isinstance(schema, dict) or str(schema.get("type")).upper() != "OBJECT":
        raise _refuse(f"{where}.parameters", "schema at top-level must be of type OBJECT.")


def _check_calling(config: Json, names: list[str]) -> None:
    calling = config.get("functionCallingConfig") or {}
    mode, allowed = calling.get("mode"), calling.get("allowedFunctionNames") or []
    if mode in ("ANY", "VALIDATED") and not names:
        raise WireError("Function calling config is set without function_declarations.")
    if allowed and mode not in ("ANY", "VALIDATED"):
        raise WireError(
            "Allowed_function_names should be set only when function_calling_config.mode is ANY "
            "or VALIDATED."
        )
    unknown = [name for name in allowed if name not in names]
    if unknown:
        raise WireError(f"Allowed_function_names contains undeclared functions: {unknown[0]}")
