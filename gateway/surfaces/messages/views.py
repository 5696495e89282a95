"""POST /v1/messages, plain or streamed, and POST /v1/messages/count_tokens."""

import msgspec

from gateway.admission import require_scope
from gateway.operations.chat import ChatRequest, input_token_estimate
from gateway.operations.chat_tokens import counted_tokens
from gateway.surfaces.chat import check_media_type, serve_chat
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered, read_channel
from gateway.surfaces.messages.answer import write_message
from gateway.surfaces.messages.request import read_count, read_message
from gateway.surfaces.messages.stream import MessageStream

_BODY_LIMIT_BYTES = 2 * 1024 * 1024


async def messages(request: Request) -> Answer | None:
    """Answer with a message, or with the events of one."""
    return await serve_chat(request, _read)


async def count_tokens(request: Request) -> Answer:
    """Estimate the input tokens of a message that is not sent; free, nobody else is asked."""
    async with entered(request, "count_tokens") as admitted:
        require_scope(admitted.caller, "chat")
        check_media_type(request)
        chat = read_count(await request.read_body(_BODY_LIMIT_BYTES))
        channel = read_channel(request, admitted.caller)
        request.runtime.world.catalogue.resolve(kind=None, model=chat.model, channel=channel)
        return Answer(body=msgspec.json.encode({"input_tokens": _estimate(chat)}))


class _Spoken:
    """A chat that was asked for as a message (see `gateway.surfaces.chat.Spoken`)."""

    __slots__ = ("_request_id", "chat")

    def __init__(self, chat: ChatRequest, request_id: str) -> None:
        self.chat = chat
        self._request_id = request_id

    def write(self, answer: bytes) -> bytes:
        return write_message(answer, self.chat)

    def open_stream(self) -> MessageStream:
        return MessageStream(
            request_id=self._request_id,
            model=self.chat.model or "",
            input_estimate=_estimate(self.chat),
        )


def _read(request: Request, body: bytes) -> _Spoken:
    return _Spoken(read_message(body), request.id)


def _estimate(chat: ChatRequest) -> int:
    """Give the likely input tokens, tools included: they reach the model about as JSON."""
    tokens = input_token_estimate(chat)
    return tokens + counted_tokens(len(msgspec.json.encode(chat.tools))) if chat.tools else tokens
