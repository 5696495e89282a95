"""POST /v1/analytics/chat: questions about usage in words; a sentence, rows and a picture back."""

import time
from typing import Any

import msgspec

from analytics.query import Mode, QuerySpec
from analytics.reading import answer, list_requests
from analytics.words.picture import chart_of
from analytics.words.saying import said_answer, said_listing, said_question
from analytics.words.text import LONGEST_QUESTION
from gateway.admission import require_scope
from gateway.operations.json_body import read_body
from gateway.questions import CHANNEL, Asked, By, ByModel, ask_model, chat_about, read_question
from gateway.quoting import ChatTask
from gateway.surfaces import asking
from gateway.surfaces.answers import Headers, paid_headers
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered, read_labels
from gateway.surfaces.studio.usage_body import listing_body, usage_body
from studio.accounts.callers import Caller
from studio.core.errors import InvalidRequest

_SCOPE = "analytics:read"
_BODY_LIMIT_BYTES = 16 * 1024


class _Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A question: `message`, or `question`. `use_model`: a chat model may help where we refuse."""

    message: str | None = None
    question: str | None = None
    use_model: bool = False


_BODY = msgspec.json.Decoder(_Body)


async def analytics_chat(request: Request) -> Answer:
    """Answer a question about the caller's workspace."""
    async with entered(request, "analytics") as admitted:
        caller = admitted.caller
        require_scope(caller, _SCOPE)
        check_media_type(request)
        body = read_body(_BODY, await request.read_body(_BODY_LIMIT_BYTES))
        text = _text(body)
        asked: Asked = await asking.in_thread(read_question, caller.workspace_id, text)
        by: By = "grammar"
        spec, helped = asked.spec, None
        if spec is None and body.use_model:
            helped = await _by_model(request, caller, asked)
            spec, by = helped.spec, "model"
        shown = _refusal_body(asked, helped)
        if spec is not None:
            shown = await asking.in_thread(_answer_body, caller.workspace_id, spec, asked, by)
        return Answer(body=msgspec.json.encode(shown), headers=_headers(request, helped))


def _text(body: _Body) -> str:
    given = [text for text in (body.message, body.question) if text is not None]
    if len(given) != 1 or not given[0].strip():
        raise InvalidRequest(
            'message: ask a question, such as {"message": "How much did we spend this week?"}.',
            details={"param": "message"},
        )
    if len(given[0]) > LONGEST_QUESTION:
        raise InvalidRequest(
            f"message: a question has at most {LONGEST_QUESTION} characters.",
            details={"param": "message"},
        )
    return given[0]


async def _by_model(request: Request, caller: Caller, asked: Asked) -> ByModel:
    """Let a model try, as a chat of its own under this request's id."""
    require_scope(caller, "chat")
    chat, question = chat_about(asked)
    labels = read_labels(request, caller)
    task = ChatTask(
        id=request.id,
        caller=caller,
        surface=request.surface,
        channel=CHANNEL,
        app_id=labels.app_id,
        user_ref=labels.user_ref,
        request=chat,
        body_bytes=len(msgspec.json.encode(chat)),
        claim=None,
        started_s=time.perf_counter(),
        user_keys=request.user_keys,
    )
    return await ask_model(request.runtime, task, asked, question)


def _answer_body(workspace_id: int, spec: QuerySpec, asked: Asked, by: By) -> dict[str, Any]:
    """Ask the query service, and say what it answered."""
    body: dict[str, Any]
    if spec.mode is Mode.LIST:
        listing = list_requests(spec, workspace_id=workspace_id)
        said, read, chart = said_listing(listing), listing.read, None
        query = listing_body(listing)
        rows = query.pop("data")
    else:
        found = answer(spec, workspace_id=workspace_id)
        said, read, chart = said_answer(found), found.read, chart_of(found)
        query = usage_body(found)
        rows = query.pop("rows")
    words = said_question(spec, read.calendar, read.compared)
    kept = " Both periods are counted up to the same time." if read.same_elapsed else ""
    query.pop("object")
    body = {
        "object": "analytics.answer",
        "answer": f"{said} ({words}.){kept}",
        "answered": True,
        "by": by,
        "query": {"words": words, "mode": spec.mode.value, **_asked_body(spec), **query},
        "rows": rows,
        "chart": chart,
        "notes": list(asked.notes),
    }
    return body


def _asked_body(spec: QuerySpec) -> dict[str, Any]:
    order = spec.order and {"metric": spec.order.metric, "descending": spec.order.descending}
    return {"order": order, "limit": spec.limit}


def _refusal_body(asked: Asked, helped: ByModel | None) -> dict[str, Any]:
    """Say what was not understood, and three questions that can be answered."""
    refusal = asked.refusal
    if refusal is None:
        return {}
    near = f" Did you mean {' or '.join(refusal.near)}?" if refusal.near else ""
    offers = "; ".join(f'"{offer}"' for offer in refusal.offers)
    return {
        "object": "analytics.answer",
        "answer": f"{refusal.message}{near} I can answer, for example: {offers}.",
        "answered": False,
        "by": "grammar",
        "query": None,
        "rows": [],
        "chart": None,
        "not_understood": refusal.word or None,
        "near": list(refusal.near),
        "offers": list(refusal.offers),
        "notes": [helped.reason] if helped is not None and helped.reason else [],
    }


def _headers(request: Request, helped: ByModel | None) -> Headers:
    if helped is None or helped.answer is None:
        return []
    chat = helped.answer
    if chat.sandbox:
        request.upstream = "sandbox"
    return paid_headers(
        charged_ucr=chat.charged_ucr,
        remaining_ucr=chat.remaining_ucr,
        overhead_ms=chat.overhead_ms,
    )
