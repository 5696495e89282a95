"""The edits of Image Studio: one table, from which requests are checked and metadata is written.

Stability does all but `general_edit`. Labels and descriptions of the first two are the seed's.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.imaging.operations import Between, Field, Fields, Operation, Operations
from gateway.providers.stability.edit import MOST_EXPANSION_PX
from gateway.providers.stability.limits import LIMITS, PictureLimits

EXPANSIONS = ("expand_left", "expand_right", "expand_up", "expand_down")
MOST_EXPANSION = MOST_EXPANSION_PX
"""Pixels a side."""
EDIT_FIELDS: Fields = MappingProxyType(
    {
        "prompt": Field(words="Prompt", names=("prompt",)),
        "mask": Field(words="Mask", names=("mask_base64",)),
        "negative_prompt": Field(words="Negative prompt", names=("negative_prompt",)),
        "search_prompt": Field(words="Search prompt", names=("search_prompt",)),
        "select_prompt": Field(words="Select prompt", names=("select_prompt",)),
        "background": Field(words="Background image", names=("background_image_base64",)),
        "lighting": Field(words="Lighting image", names=("lighting_image_base64",)),
        "expansion": Field(words="Expansion", names=EXPANSIONS),
        "style_preset": Field(words="Style preset", names=("style_preset",), shown=False),
        "guidance_scale": Field(words="Guidance scale", names=("guidance_scale",), shown=False),
        "steps": Field(words="Steps", names=("steps",), shown=False),
        "seed": Field(words="Seed", names=("seed",), shown=False),
    }
)
_STYLED = frozenset({"style_preset", "seed"})
_GROW_MASK: Mapping[str, Between] = MappingProxyType(
    {"grow_mask": Between(least=0, most=20, whole=True)}
)
_ANY_PICTURE = PictureLimits(most_pixels=4_194_304)
"""Ours for Gemini, which scales whatever it gets."""

EDITS: Operations = MappingProxyType(
    {
        "remove_background": Operation(
            label="Remove Background",
            description="Isolate the main subject",
            provider="stability",
            kind="edit.remove_background",
            doing="background removal",
            limits=LIMITS["remove-background"],
            formats=("png", "webp"),
        ),
        "inpaint": Operation(
            label="Inpaint & Fix",
            description="Edit specific regions using prompts and optional masks",
            provider="stability",
            kind="edit.inpaint",
            doing="inpainting",
            limits=LIMITS["inpaint"],
            uses=frozenset({"prompt", "mask", "negative_prompt"}) | _STYLED,
            required=("prompt",),
            options={"grow_mask": Between(least=0, most=100, whole=True)},
        ),
        "outpaint": Operation(
            label="Outpaint",
            description="Extend the picture in any direction",
            provider="stability",
            kind="edit.outpaint",
            doing="outpainting",
            limits=LIMITS["outpaint"],
            uses=frozenset({"prompt", "expansion"}) | _STYLED,
            required=("expansion",),
            options={"creativity": Between(least=0, most=1)},
        ),
        "search_replace": Operation(
            label="Search & Replace",
            description="Find an object by its description and replace it",
            provider="stability",
            kind="edit.search_replace",
            doing="search and replace",
            limits=LIMITS["search-and-replace"],
            uses=frozenset({"prompt", "search_prompt", "negative_prompt"}) | _STYLED,
            required=("prompt", "search_prompt"),
            options=_GROW_MASK,
        ),
        "search_recolor": Operation(
            label="Search & Recolor",
            description="Select an object by its description and recolor it",
            provider="stability",
            kind="edit.search_recolor",
            doing="search and recolor",
            limits=LIMITS["search-and-recolor"],
            uses=frozenset({"prompt", "select_prompt", "negative_prompt"}) | _STYLED,
            required=("prompt", "select_prompt"),
            options=_GROW_MASK,
        ),
        "general_edit": Operation(
            label="Prompt-based Edit",
            description="Change anything by instructions and reference pictures",
            provider="gemini",
            kind="edit.general_edit",
            doing="general editing",
            limits=_ANY_PICTURE,
            uses=frozenset({"prompt", "mask", "negative_prompt", "background", "lighting"})
            | _STYLED,
            required=("prompt",),
        ),
    }
)
