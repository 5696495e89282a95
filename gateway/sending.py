"""Sending a held chat to one candidate: the whole answer, or a stream up to its first bytes."""

import asyncio
import time

import msgspec

from gateway.attempts import Attempts
from gateway.providers.base import (
    ChatStream,
    Reply,
    Target,
    UpstreamAnswer,
    UpstreamInvalid,
    UpstreamResponse,
)

_PEEK_S = 5.0
"""How long an accepted stream is waited for before our client hears of it: an error that comes
first is then still met by another route. Models may think for longer; clients want a sign of life.
"""


class Opened(msgspec.Struct, frozen=True):
    """A stream that a provider accepted, and what of it may be relayed already."""

    stream: ChatStream
    response: UpstreamResponse
    first: bytes


async def ask(attempts: Attempts) -> Reply:
    """Ask the present candidate for a whole answer. Raises: UpstreamFailure, InvalidRequest."""
    priced, request = attempts.candidate.priced, attempts.held.task.request
    provider = priced.provider
    target = _target(attempts)
    sent = provider.build_chat(request, target)
    response = await attempts.runtime.transport.send(priced.upstream, sent)
    try:
        body = await response.read()
    except BaseException:
        response.close()
        raise
    if response.status != 200:
        attempts.refused_with(response.headers)
    answer = UpstreamAnswer(status=response.status, headers=response.headers, body=body)
    return provider.parse_chat(request, target, answer)


async def open_up(attempts: Attempts) -> Opened:
    """Open a stream at the present candidate, up to its first bytes.

    Raises: UpstreamFailure, InvalidRequest.
    """
    priced, request = attempts.candidate.priced, attempts.held.task.request
    provider = priced.provider
    target = _target(attempts)
    sent = provider.build_chat(request, target)
    stream = provider.open_chat_stream(request, target)
    response = await attempts.runtime.transport.send(priced.upstream, sent)
    try:
        if response.status != 200:
            attempts.refused_with(response.headers)
            body = await response.read()
            raise provider.parse_error(response.status, response.headers, body)
        return Opened(stream, response, await _first_bytes(stream, response))
    except BaseException:
        response.close()
        raise


async def _first_bytes(stream: ChatStream, response: UpstreamResponse) -> bytes:
    """Read until something may be relayed or the stream is over, for five seconds at most.

    Raises: UpstreamFailure, also where the provider's own first word is an error. One behind the
    first output is not raised: that output is relayed and paid for.
    """
    try:
        async with asyncio.timeout(_PEEK_S):
            while True:
                data = await response.read_some()
                relayed = stream.feed(data) if data else b""
                if stream.failure is not None and not stream.relayed_tokens:
                    raise stream.failure
                if relayed or stream.finished or stream.failure is not None:
                    return relayed
                if not data:
                    raise UpstreamInvalid("The provider ended its answer early.")
    except TimeoutError:
        return b""


def _target(attempts: Attempts) -> Target:
    candidate = attempts.candidate
    route = candidate.priced.route
    return Target(
        model=route.model,
        max_output_tokens=candidate.max_tokens,
        drop_parameters=route.drop_parameters,
        answer_id=f"chatcmpl-{attempts.held.task.id}",
        created_s=int(time.time()),
    )
