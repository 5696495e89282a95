"""The last line against secrets in text that leaves us: log lines and cleaned provider messages.

Nothing is meant to reach it; it exists for the day something does.
"""

import re

_SECRET = re.compile(
    r"(sk-[A-Za-z0-9_\-]{8,}|(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{8,}|r8_[A-Za-z0-9]{8,}|xai-[A-Za-z0-9]{8,}|gw_(?:live|test|pub)_[A-Za-z0-9]{8,}"
    r"|gws_[A-Za-z0-9_\-]{8,}|whsec_[A-Za-z0-9+/=]{8,}|ek_[A-Za-z0-9]{8,}|el_[A-Za-z0-9]{16,}"
    r"|AIza[A-Za-z0-9_\-]{16,}|(?<=://)[^\s/@]*:[^\s/@]+(?=@)"
    r"|eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*|(?i:bearer)\s+[A-Za-z0-9._\-]{8,})"
)
_URL = re.compile(r"https?://\S+|wss?://\S+")


def redact(text: str) -> str:
    """Replace everything that looks like a credential."""
    return _SECRET.sub("[redacted]", text)


def clean_provider_message(text: str, *, limit: int = 500) -> str:
    """Make a provider's error text fit to show: no credentials, no addresses, one line, `limit`
    characters.
    """
    return _URL.sub("[link]", redact(" ".join(text.split())))[:limit]
