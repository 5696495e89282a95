"""The models the double knows, and in what they differ.

Source: ai.google.dev/gemini-api/docs, Thinking; docs.cloud.google.com, Gemini 3.5 Flash-Lite and
the developer's guide to Gemini 3.8 Flash (levels of thinking, penalties, a last turn of the model);
a list of the live API as quoted in github iBUHub/AIStudioToAPI pull 257 (2026-09-03).
"""

from importlib.resources import files
from types import MappingProxyType

import msgspec

from sandbox.gemini_errors import WireError
from sandbox.messages import Json


class Traits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one model takes.

    `levels` of thinking or `budgets` (least and most tokens), a last turn of the model (`prefill`),
    JSON answers beside tools. A model that `signs` wants its thought signatures back; one that
    `draws` makes pictures, of `image_sizes` where it has several, and of `long_shapes`.
    """

    id: str
    display_name: str
    levels: tuple[str, ...] = ()
    budgets: tuple[int, int] | None = None
    default_level: str = "MINIMAL"
    most_candidates: int = 1
    prefill: bool = False
    penalties: bool = False
    signs: bool = True
    json_with_tools: bool = True
    embeds: bool = False
    draws: bool = False
    image_sizes: tuple[str, ...] = ()
    long_shapes: bool = False
    image_tokens: int = 1120
    input_tokens: int = 1048576
    output_tokens: int = 65536

    @property
    def methods(self) -> tuple[str, ...]:
        """What may be asked of it."""
        if self.embeds:
            return ("embedContent", "batchEmbedContents", "countTokens")
        return ("generateContent", "streamGenerateContent", "countTokens")

    def describe(self) -> Json:
        """Render the model as `GET /v1beta/models` does."""
        shown: Json = {
            "name": f"models/{self.id}",
            "baseModelId": self.id,
            "version": "001",
            "displayName": self.display_name,
            "description": f"The sandbox's double of {self.display_name}.",
            "inputTokenLimit": self.input_tokens,
            "outputTokenLimit": self.output_tokens,
            "supportedGenerationMethods": list(self.methods),
        }
        if not self.embeds:
            shown |= {"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2}
            shown["thinking"] = True
        return shown


MODELS: tuple[Traits, ...] = msgspec.json.decode(
    files("sandbox").joinpath("gemini_models.json").read_bytes(), type=tuple[Traits, ...]
)
_BY_ID = MappingProxyType({model.id: model for model in MODELS})


def find_model(model_id: str, method: str) -> Traits:
    """Find a model that does this; an unlisted `gemini-*` takes whatever one of its kind may.

    Raises: WireError, 404.
    """
    found = _BY_ID.get(model_id) or _unlisted(model_id)
    if found is None or method not in (*found.methods, "get"):
        purpose = "" if method == "get" else f", or is not supported for {method}"
        raise WireError(
            f"models/{model_id} is not found for API version v1beta{purpose}. Call ListModels to "
            "see the list of available models and their supported methods.",
            code=404,
        )
    return found


def _unlisted(model_id: str) -> Traits | None:
    if not model_id.startswith("gemini-"):
        return None
    old = model_id.startswith(("gemini-1", "gemini-2"))
    return Traits(
        id=model_id,
        display_name=model_id,
        levels=() if old else ("MINIMAL", "LOW", "MEDIUM", "HIGH"),
        budgets=(0, 32768) if old else None,
        most_candidates=8,
        prefill=True,
        penalties=True,
        signs=not old,
        embeds=model_id.startswith("gemini-embedding"),
        draws="-image" in model_id,
    )
