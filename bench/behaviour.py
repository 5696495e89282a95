"""What a request asks of the bench's upstream, written into its prompt.

In the prompt, because gateways relay prompts and not query strings.
"""

import re
from dataclasses import dataclass

ANSWER_MARK = b"The answer of the bench."
"""In every plain answer, exactly once."""
CHUNK_MARK = b'"content":"0'
"""Once in every chunk that carries text, which is 20 digits that begin with 0; an opening chunk has
none.
"""
STAMP_DIGITS = 19
"""What follows the mark: monotonic nanoseconds at sending."""
DONE_MARK = b"data: [DONE]"

_ASKED = re.compile(rb"bench latency_ms=(\d+) chunks=(\d+) per_s=(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How to answer: after `latency_ms`; streams have `chunks`, `per_s` or all at once (0)."""

    latency_ms: int = 0
    chunks: int = 64
    per_s: int = 0

    def prompt(self) -> str:
        """Write the words that ask for it."""
        return f"bench latency_ms={self.latency_ms} chunks={self.chunks} per_s={self.per_s}"


_KNOWN: dict[tuple[bytes, ...], Behaviour] = {}


def asked_behaviour(body: bytes) -> Behaviour:
    """Read what the prompt in a request body asks for; the default when it asks for nothing."""
    match = _ASKED.search(body)
    if match is None:
        return Behaviour()
    words = match.groups()
    known = _KNOWN.get(words)
    if known is None:
        latency_ms, chunks, per_s = (int(word) for word in words)
        known = _KNOWN[words] = Behaviour(latency_ms=latency_ms, chunks=chunks, per_s=per_s)
    return known
