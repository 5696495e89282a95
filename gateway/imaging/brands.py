"""A brand's words in a prompt. Pure."""

import msgspec


class Brand(msgspec.Struct, frozen=True, kw_only=True):
    """What pictures of a brand keep to; `colors` are `#RRGGBB`."""

    name: str
    tone: str = ""
    colors: tuple[str, ...] = ()
    style_words: tuple[str, ...] = ()
    avoid_words: tuple[str, ...] = ()


def brand_sentence(brand: Brand) -> str:
    """Write what a picture of this brand shall look like; empty if nothing is said."""
    parts = [
        f"style: {', '.join(brand.style_words)}" if brand.style_words else "",
        f"tone: {brand.tone}" if brand.tone else "",
        f"colours: {', '.join(brand.colors)}" if brand.colors else "",
    ]
    said = "; ".join(part for part in parts if part)
    return f"Brand {said}." if said else ""


def with_brand(prompt: str, brand: Brand) -> str:
    """Put a brand's words behind a prompt."""
    sentence = brand_sentence(brand)
    return f"{prompt.rstrip(' .')}. {sentence}" if sentence else prompt


def avoided(negative_prompt: str, brand: Brand) -> str:
    """Put what a brand avoids behind what the caller does not want."""
    return ", ".join(part for part in (negative_prompt, *brand.avoid_words) if part)
