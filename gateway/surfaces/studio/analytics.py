"""GET /v1/analytics/usage: what was used, by whom, at what price, how fast."""

from datetime import UTC, datetime

from django.db import connection
from django.http import HttpResponse, HttpResponseBase

from analytics.answers import Page
from analytics.exporting import CONTENT_TYPES, Format, Write, export_requests, export_sums
from analytics.query import Mode
from analytics.reading import answer, list_requests, read_calendar
from gateway.admission import require_scope
from gateway.surfaces import asking
from gateway.surfaces.middleware import ApiRequest, json_response
from gateway.surfaces.studio.usage_body import listing_body, usage_body
from gateway.surfaces.studio.usage_export import stream_file
from gateway.surfaces.studio.usage_question import Question, read_question
from studio.core.errors import InvalidRequest

SCOPE = "analytics:read"
_JSON = "json"


async def usage(request: ApiRequest) -> HttpResponseBase:
    """Answer a question about the caller's workspace: sums or requests, as JSON or a file."""
    asking.allow_methods(request, "GET")
    caller = asking.caller_of(request)
    require_scope(caller, SCOPE)
    form = _form(request)
    question: Question = await asking.in_thread(_question, caller.workspace_id, request)
    if form is None or request.method == "HEAD":
        return await asking.in_thread(_json, caller.workspace_id, question)
    return await _file(caller.workspace_id, question, form)


def _form(request: ApiRequest) -> Format | None:
    """Read which form is asked for, by `format` or by `Accept`; None is JSON."""
    asked = request.GET.get("format")
    if asked is not None:
        if asked not in (_JSON, *Format):
            known = ", ".join((_JSON, *Format))
            raise InvalidRequest(f"format: there are {known}.", details={"param": "format"})
        return None if asked == _JSON else Format(asked)
    accepted = {part.split(";")[0].strip() for part in request.headers.get("accept", "").split(",")}
    for form, content_type in CONTENT_TYPES.items():
        if content_type.split(";")[0] in accepted:
            return form
    return None


def _question(workspace_id: int, request: ApiRequest) -> Question:
    return read_question(request.GET, read_calendar(workspace_id), datetime.now(UTC))


def _json(workspace_id: int, question: Question) -> HttpResponse:
    page = Page(rows=question.page_rows, cursor=question.cursor, question=question.text)
    if question.spec.mode is Mode.LIST:
        listing = list_requests(question.spec, workspace_id=workspace_id, page=page)
        return json_response(listing_body(listing, range_name=question.range_name))
    found = answer(question.spec, workspace_id=workspace_id, page=page)
    return json_response(usage_body(found, range_name=question.range_name))


async def _file(workspace_id: int, question: Question, form: Format) -> HttpResponseBase:
    if question.cursor is not None:
        raise InvalidRequest("cursor: a file has no pages.", details={"param": "cursor"})
    export = export_requests if question.spec.mode is Mode.LIST else export_sums

    def work(write: Write) -> None:
        try:
            export(question.spec, form, write, workspace_id=workspace_id)
        finally:
            connection.close()  # nothing else returns it from this thread

    return await stream_file(work, content_type=CONTENT_TYPES[form], name=f"usage.{form.value}")
