"""Questions about usage in words: by the grammar, and where that refuses, by a chat model that
fills a form. Whatever keeps the model from it, the grammar's refusal stands.
"""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from django.utils import timezone

from analytics.errors import QueryRefused
from analytics.query import QuerySpec
from analytics.ranges import Calendar
from analytics.reading import read_calendar
from analytics.words.form import Masked, masked, read_form, schema_for
from analytics.words.grammar import parse
from analytics.words.names import Names
from analytics.words.naming import read_names
from analytics.words.refusal import Refusal
from gateway.chat import ChatAnswer, complete
from gateway.operations.chat import ChatRequest
from gateway.operations.chat_messages import (
    JsonSchema,
    JsonSchemaFormat,
    SystemMessage,
    UserMessage,
)
from gateway.quoting import ChatTask
from gateway.runtime import Runtime
from studio.core.errors import GatewayError

By = Literal["grammar", "model"]
KIND, CHANNEL = "chat.default", "fast"
_INSTRUCTIONS = Path(__file__).with_name("questions.txt").read_text()
_MOST_TOKENS = 600
_LONGEST_S = 20


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question of a workspace, and what the grammar made of it: a query or a refusal."""

    text: str
    now: datetime
    calendar: Calendar
    names: Names
    spec: QuerySpec | None = None
    notes: tuple[str, ...] = ()
    refusal: Refusal | None = None


class ByModel(msgspec.Struct, frozen=True, kw_only=True):
    """What a model made of a question. `answer` is the chat that was charged; None if none was.

    `spec` is None if the model could not help; `reason` says why.
    """

    spec: QuerySpec | None = None
    answer: ChatAnswer | None = None
    reason: str = ""


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]


_COMPLETION = msgspec.json.Decoder(_Completion)


def read_question(workspace_id: int, text: str) -> Asked:
    """Read a question by the grammar, with the names and the clock of its workspace."""
    calendar = read_calendar(workspace_id)
    now = timezone.now().astimezone(calendar.zone)
    names = read_names(workspace_id, text)
    read = parse(text, names, now, week_start=calendar.week_start)
    asked = Asked(text=text, now=now, calendar=calendar, names=names)
    if isinstance(read, Refusal):
        return msgspec.structs.replace(asked, refusal=read)
    return msgspec.structs.replace(asked, spec=read.spec, notes=read.notes)


def chat_about(asked: Asked) -> tuple[ChatRequest, Masked]:
    """Write the chat that has a model fill the form. No name of the records is in it."""
    question = masked(asked.text, asked.names)
    today = f"Today is {asked.now:%A %Y-%m-%d}, {asked.now:%H:%M}."
    form = JsonSchema(name="usage_question", schema=schema_for(question), strict=True)
    request = ChatRequest(
        kind=KIND,
        messages=[
            SystemMessage(content=f"{_INSTRUCTIONS}\n{today}"),
            UserMessage(content=question.text),
        ],
        max_completion_tokens=_MOST_TOKENS,
        response_format=JsonSchemaFormat(json_schema=form),
    )
    return request, question


async def ask_model(runtime: Runtime, task: ChatTask, asked: Asked, question: Masked) -> ByModel:
    """Have a model fill the form: one chat, held and charged as any."""
    try:
        async with asyncio.timeout(_LONGEST_S):
            answer = await complete(runtime, task)
    except TimeoutError:
        return ByModel(reason="The model took too long.")
    except GatewayError as error:
        return ByModel(reason=error.message)
    try:
        spec = read_form(_content(answer.body), question, asked.calendar, asked.now)
    except QueryRefused:
        return ByModel(answer=answer, reason="The model gave no question that can be asked.")
    return ByModel(
        spec=spec, answer=answer, reason="" if spec else "The model could not say it either."
    )


def _content(body: bytes) -> str:
    """Give the text of a finished chat. Raises: QueryRefused."""
    try:
        [choice, *_] = _COMPLETION.decode(body).choices
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise QueryRefused("The model's answer cannot be read.") from error
    if choice.finish_reason != "stop" or not choice.message.content:
        raise QueryRefused("The model did not finish its answer.")
    return choice.message.content
