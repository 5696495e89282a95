"""The controls of Image Studio: a table that checks requests and writes metadata."""

from types import MappingProxyType

from gateway.imaging.operations import Field, Fields, Operation, Operations
from gateway.providers.stability.control import SHAPES
from gateway.providers.stability.limits import LIMITS

ASPECT_RATIOS = SHAPES
STRENGTHS = (
    "control_strength",
    "fidelity",
    "style_strength",
    "composition_fidelity",
    "change_strength",
)
CONTROL_FIELDS: Fields = MappingProxyType(
    {
        "control_image": Field(words="Control image", names=("control_image_base64",)),
        "prompt": Field(words="Prompt", names=("prompt",)),
        "style_image": Field(words="Style image", names=("style_image_base64",)),
        "negative_prompt": Field(words="Negative prompt", names=("negative_prompt",)),
        **{
            name: Field(words=name.replace("_", " ").capitalize(), names=(name,))
            for name in STRENGTHS
        },
        "aspect_ratio": Field(words="Aspect ratio", names=("aspect_ratio",)),
        "style_preset": Field(words="Style preset", names=("style_preset",)),
        "seed": Field(words="Seed", names=("seed",), shown=False),
    }
)
_COMMON = frozenset({"control_image", "prompt", "negative_prompt", "seed"})
_NEEDED = ("control_image", "prompt")

CONTROLS: Operations = MappingProxyType(
    {
        "sketch": Operation(
            label="Sketch to Image",
            description="Turn a sketch into a finished picture",
            provider="stability",
            kind="control.sketch",
            doing="sketch to image",
            limits=LIMITS["control-sketch"],
            uses=_COMMON | {"control_strength", "style_preset"},
            required=_NEEDED,
        ),
        "structure": Operation(
            label="Structure Control",
            description="Make a picture that keeps the structure of another",
            provider="stability",
            kind="control.structure",
            doing="structure control",
            limits=LIMITS["control-structure"],
            uses=_COMMON | {"control_strength", "style_preset"},
            required=_NEEDED,
        ),
        "style": Operation(
            label="Style Control",
            description="Make a picture in the style of another",
            provider="stability",
            kind="control.style",
            doing="style control",
            limits=LIMITS["control-style"],
            uses=_COMMON | {"fidelity", "aspect_ratio", "style_preset"},
            required=_NEEDED,
        ),
        "style_transfer": Operation(
            label="Style Transfer",
            description="Give a picture the style of another",
            provider="stability",
            kind="control.style_transfer",
            doing="style transfer",
            limits=LIMITS["control-style-transfer"],
            uses=_COMMON
            | {"style_image", "style_strength", "composition_fidelity", "change_strength"},
            required=(*_NEEDED, "style_image"),
        ),
    }
)
