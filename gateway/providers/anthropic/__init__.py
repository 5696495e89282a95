"""Anthropic's Messages, asked and answered in OpenAI's words.

request.py   what goes out: limits, tools, formats      turns.py    messages become turns of blocks
media.py     images and files as blocks                 thinking.py which model thinks in which way
answer.py    what comes back, whole                     stream.py   what comes back, as it comes
failures.py  errors, by status and inside a stream

The version of the API is pinned. What it refuses of OpenAI's parameters is dropped by the
catalogue's data, what has no place in its form is left out here, and what cannot be served at all
is named by `unsupported`. Left out: `seed`, `prediction`, `verbosity`, `store`, `metadata`, prompt
cache keys, participants' names, thoughts without a signature.
Source: Anthropic's OpenAPI document of August 2026; `anthropic` Python SDK 2.12.0;
platform.claude.com/docs, Versions (2026-10-21).
"""

from collections.abc import Mapping

from gateway.operations.chat import ChatRequest
from gateway.providers.anthropic.answer import read_answer
from gateway.providers.anthropic.failures import HOSTS, failure_of
from gateway.providers.anthropic.request import unsupported_field, write_request
from gateway.providers.anthropic.stream import AnthropicStream
from gateway.providers.base import (
    ChatStream,
    Reply,
    Target,
    UpstreamAnswer,
    UpstreamFailure,
    UpstreamRequest,
)
from gateway.providers.translating import uses_functions

API_VERSION = "2026-10-21"
"""Pinned: another version has other parameters. Goes with `drop_parameters` in the catalogue."""


class Anthropic:
    """Anthropic's Messages API."""

    slug = "anthropic"
    default_base_url = "https://api.anthropic.com"
    hosts = HOSTS
    operations = frozenset({"chat"})

    def auth(self, key: str) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"x-api-key": key}

    def unsupported(self, request: ChatRequest) -> str | None:
        """Name the field that no Claude model can serve; None if there is none."""
        return unsupported_field(request)

    def build_chat(self, request: ChatRequest, target: Target) -> UpstreamRequest:
        """Write the request. Raises: InvalidRequest for arguments, images and files that are none.

        What the API itself refuses (a forced tool on a model without, say) is left to its 400.
        """
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream" if request.stream else "application/json",
            "anthropic-version": API_VERSION,
        }
        return UpstreamRequest(
            path="/v1/messages", body=write_request(request, target), headers=headers
        )

    def parse_chat(self, request: ChatRequest, target: Target, answer: UpstreamAnswer) -> Reply:
        """Read a finished answer. Raises: UpstreamFailure."""
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        return read_answer(answer.body, target, as_function=uses_functions(request))

    def open_chat_stream(self, request: ChatRequest, target: Target) -> ChatStream:
        """Begin to read the stream that answers this request."""
        return AnthropicStream(
            target, wants_usage=request.wants_usage, as_function=uses_functions(request)
        )

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """Read an answer that is no success."""
        return failure_of(status, headers, body)


PROVIDER = Anthropic()
