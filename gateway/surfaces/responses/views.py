"""POST /v1/responses, plain or streamed."""

import re
import time

from gateway.operations.chat import ChatRequest
from gateway.surfaces.chat import serve_chat
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.responses.answer import Head, write_response
from gateway.surfaces.responses.request import Asked, read_response
from gateway.surfaces.responses.stream import ResponseStream
from studio.core.errors import GatewayError

_NAMES = {
    "logprobs": "top_logprobs",
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
}
"""What a chat's fields are called here."""
_FIRST_NAME = re.compile(r"[a-z_]+")


async def responses(request: Request) -> Answer | None:
    """Answer with a response, or with the events of one."""
    try:
        return await serve_chat(request, _read)
    except GatewayError as error:
        _rename_field(error)
        raise


class _Spoken:
    """A chat that was asked for as a response (see `gateway.surfaces.chat.Spoken`)."""

    __slots__ = ("_asked", "_own")

    def __init__(self, asked: Asked, own: Head) -> None:
        self._asked = asked
        self._own = own

    @property
    def chat(self) -> ChatRequest:
        return self._asked.chat

    def write(self, answer: bytes) -> bytes:
        return write_response(answer, self._asked, self._own)

    def open_stream(self) -> ResponseStream:
        return ResponseStream(self._asked, self._own)


def _read(request: Request, body: bytes) -> _Spoken:
    asked = read_response(body)
    own = Head(
        digits=request.id.replace("-", ""),
        created_s=int(time.time()),
        model=asked.chat.model or "",
    )
    return _Spoken(asked, own)


def _rename_field(error: GatewayError) -> None:
    """Name the field at fault as the caller knows it, if a chat was refused for one of its own.

    Places within messages are left out: items are counted in another way.
    """
    param = str(error.details.get("param") or "")
    first = _FIRST_NAME.match(param)
    name = _NAMES.get(first[0]) if first is not None else None
    if name is not None:
        error.details["param"] = name
        if error.message.startswith(f"{param}: "):
            error.message = name + error.message[len(param) :]
