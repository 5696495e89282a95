"""What views share, behind the Django door above all: who asks, by which method, reading the
question, and asking the database in a thread.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import ParamSpec, TypeVar
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async
from django.db import connection
from django.http import QueryDict

from gateway.surfaces.middleware import ApiRequest
from studio.accounts.callers import Caller
from studio.core.errors import InvalidRequest, MethodNotAllowed
from studio.core.money import credits_text, credits_to_ucr

_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")
_MOST_DIGITS = 18


def caller_of(request: ApiRequest) -> Caller:
    """Give the caller that the door admitted."""
    assert request.admitted is not None, "the door admits every caller of a path that is not public"
    return request.admitted.caller


def allow_methods(request: ApiRequest, *methods: str) -> None:
    """Refuse other methods; HEAD goes with GET. Raises: MethodNotAllowed."""
    allowed = [word for name in methods for word in ([name, "HEAD"] if name == "GET" else [name])]
    if request.method not in allowed:
        raise MethodNotAllowed(
            f"Use {' or '.join(methods)} here.", headers={"Allow": ", ".join(allowed)}
        )


async def in_thread(
    work: Callable[_Asked, _Answer], *args: _Asked.args, **options: _Asked.kwargs
) -> _Answer:
    """Do something that asks the database, in a thread; its connection goes back to the pool."""

    def asked() -> _Answer:
        try:
            return work(*args, **options)
        finally:
            connection.close()  # nothing else returns it from this thread

    return await sync_to_async(asked, thread_sensitive=False)()


def credit_number(amount_ucr: int) -> msgspec.Raw:
    """Write credits as a JSON number, exactly: no float in between."""
    return msgspec.Raw(credits_text(amount_ucr).encode())


def read_credits(amount: Decimal, field: str) -> int:
    """Read credits from a body, in µcr. Raises: InvalidRequest."""
    try:
        if amount and amount.is_finite() and amount.adjusted() > _MOST_DIGITS:
            raise ValueError("credits: more than there can be")
        return credits_to_ucr(amount)
    except ValueError as error:
        raise InvalidRequest(f"{field}: {error}", details={"param": field}) from error


def check_query(query: QueryDict, known: tuple[str, ...]) -> None:
    """Refuse parameters that mean nothing here, or are given twice. Raises: InvalidRequest."""
    for name, values in query.lists():
        if name not in known:
            raise _refused(name, f"not known here; there are {', '.join(known)}")
        if len(values) > 1:
            raise _refused(name, "given more than once")


def read_moment(query: QueryDict, name: str) -> datetime | None:
    """Read a moment (RFC 3339, with its offset) of the query. Raises: InvalidRequest."""
    text = query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a bare + in a query is a space
    except ValueError as error:
        raise _refused(name, "not a time such as 2026-11-01T00:00:00Z") from error
    if moment.tzinfo is None or moment.year < 1970 or moment.year > 9000:  # noqa: PLR2004  far beyond
        raise _refused(name, "a time has an offset, such as 2026-11-01T00:00:00Z")
    return moment


def read_id(text: str | None, name: str) -> UUID | None:
    """Read a request id. Raises: InvalidRequest."""
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise _refused(name, "not a request id") from error


def read_count(query: QueryDict, name: str, *, default: int, most: int) -> int:
    """Read a count from 1 to `most`. Raises: InvalidRequest."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):  # noqa: PLR2004  an int's
        raise _refused(name, f"a number from 1 to {most}")
    return int(text)


def _refused(name: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {why}.", details={"param": name})
