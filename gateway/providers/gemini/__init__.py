"""Google's Gemini, asked and answered in OpenAI's words.

request.py   what goes out: limits, tools, formats      turns.py    messages become contents
media.py     images, sound and files as parts           thinking.py which model thinks in which way
answer.py    what comes back, whole                     stream.py   what comes back, as it comes
failures.py  errors, by status and details, inside a stream too

What a model refuses of OpenAI's parameters is dropped by the catalogue's data, what has no place in
Google's form is left out here, and what cannot be served at all is named by `unsupported`. Left
out: `detail` of images, `strict` of functions, `verbosity`, `service_tier` (always the standard
one), `prediction`, `store`, `metadata`, `user`, prompt cache keys and marks, participants' names,
signatures of thoughts that led to a text (Google recommends them back and requires them not).
Source: Google's discovery document v1beta (2026-08-23); `google-genai` Python SDK 3.4.0;
ai.google.dev/gemini-api/docs.
"""

from collections.abc import Mapping
from urllib.parse import quote

from gateway.operations.chat import ChatRequest
from gateway.providers.base import (
    ChatStream,
    Reply,
    Target,
    UpstreamAnswer,
    UpstreamFailure,
    UpstreamRequest,
)
from gateway.providers.gemini.answer import read_answer
from gateway.providers.gemini.failures import HOSTS, failure_of
from gateway.providers.gemini.request import unsupported_field, write_request
from gateway.providers.gemini.stream import GeminiStream
from gateway.providers.gemini_embeddings import GeminiEmbeddings
from gateway.providers.gemini_images import GeminiImages
from gateway.providers.translating import uses_functions


class Gemini(GeminiEmbeddings, GeminiImages):
    """Google's Gemini API: `generateContent`, embeddings and images."""

    slug = "gemini"
    default_base_url = "https://generativelanguage.googleapis.com/v1beta"
    hosts = HOSTS
    operations = frozenset({"chat", "embedding", "image", "image_edit"})

    def auth(self, key: str) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"x-goog-api-key": key}

    def unsupported(self, request: ChatRequest) -> str | None:
        """Name the field that no Gemini model can serve; None if there is none."""
        return unsupported_field(request)

    def build_chat(self, request: ChatRequest, target: Target) -> UpstreamRequest:
        """Write the request. Raises: InvalidRequest for arguments, images and files that are none.

        What the API itself refuses (a last message of the assistant, say) is left to its 400.
        """
        method = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
        accepted = "text/event-stream" if request.stream else "application/json"
        return UpstreamRequest(
            path=f"/models/{quote(target.model, safe='')}:{method}",
            body=write_request(request, target),
            headers={"content-type": "application/json", "accept": accepted},
        )

    def parse_chat(self, request: ChatRequest, target: Target, answer: UpstreamAnswer) -> Reply:
        """Read a finished answer. Raises: UpstreamFailure."""
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        return read_answer(answer.body, target, as_function=uses_functions(request))

    def open_chat_stream(self, request: ChatRequest, target: Target) -> ChatStream:
        """Begin to read the stream that answers this request."""
        return GeminiStream(
            target, wants_usage=request.wants_usage, as_function=uses_functions(request)
        )

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """Read an answer that is no success."""
        return failure_of(status, headers, body)


PROVIDER = Gemini()
