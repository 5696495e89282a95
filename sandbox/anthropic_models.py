"""The models the double knows, and in what they differ.

Source: platform.claude.com/docs, the models' pages and "Troubleshooting thinking" (Oct 2026);
`anthropic` Python SDK 2.12.0, `types/model_info.py`.
"""

import re
from importlib.resources import files
from types import MappingProxyType

import msgspec

from sandbox.messages import Json

_DATE = re.compile(r"-20\d{6}$")


class Traits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one model takes: `thinking` types, whether it `thinks` unasked, how thoughts show."""

    id: str
    display_name: str
    created_at: str
    line: str | None
    max_input_tokens: int
    max_tokens: int
    thinking: tuple[str, ...]
    thinks: bool
    display: str
    efforts: tuple[str, ...]
    forced_tools: bool
    prefill: bool
    sampling: bool
    retires_at: str | None = None

    def describe(self) -> Json:
        """Render the model as `GET /v1/models` does."""
        return {
            "type": "model",
            "id": self.id,
            "display_name": self.display_name,
            "created_at": self.created_at,
            "line": self.line,
            "lifecycle": "deprecated" if self.retires_at else "active",
            "deprecated_at": self.created_at if self.retires_at else None,
            "retires_at": self.retires_at,
            "max_input_tokens": self.max_input_tokens,
            "max_tokens": self.max_tokens,
            "capabilities": self._capabilities(),
        }

    def _capabilities(self) -> Json:
        yes, no = {"supported": True}, {"supported": False}
        levels = ("low", "medium", "high", "xhigh", "max")
        types = ("adaptive", "enabled", "disabled", "between_tools")
        return {
            "batch": yes,
            "citations": no,
            "code_execution": no,
            "context_management": {
                "supported": False,
                "clear_thinking_20251015": no,
                "clear_tool_uses_20250919": no,
                "compact_20260112": no,
            },
            "effort": {
                "supported": bool(self.efforts),
                **{level: yes if level in self.efforts else no for level in levels},
            },
            "image_input": yes,
            "pdf_input": yes,
            "server_tools": {"supported": False, "web_search": no, "code_execution": no},
            "structured_outputs": yes,
            "thinking": {
                "supported": True,
                "types": {kind: yes if kind in self.thinking else no for kind in types},
            },
        }


MODELS: tuple[Traits, ...] = msgspec.json.decode(
    files("sandbox").joinpath("anthropic_models.json").read_bytes(), type=tuple[Traits, ...]
)
_BY_ID = MappingProxyType({model.id: model for model in MODELS})


def traits_of(model_id: str) -> Traits | None:
    """Find a model, its date left aside; an unlisted `claude-*` takes everything, others None."""
    if not model_id.startswith("claude-"):
        return None
    listed = _BY_ID.get(_DATE.sub("", model_id))
    if listed is not None:
        return listed if listed.id == model_id else msgspec.structs.replace(listed, id=model_id)
    return msgspec.structs.replace(
        _BY_ID["claude-sonnet-4-6"],
        id=model_id,
        display_name=model_id,
        line=None,
        created_at="1970-01-01T00:00:00Z",
        thinking=("adaptive", "enabled", "disabled", "between_tools"),
        efforts=("low", "medium", "high", "xhigh", "max"),
        prefill=True,
    )
