"""Analytics' leaves of the error tree."""

from studio.core.errors import InvalidRequest


class QueryRefused(InvalidRequest):
    """The question makes no sense, or nobody keeps what it asks for. `details` name the field."""


class QueryTooWide(InvalidRequest):
    """The answer took longer than a question may; a shorter range or fewer groups is quicker."""

    code = "query_too_wide"
