"""GET /api/image-studio/templates, …/search and …/recommend: data, and no provider is asked."""

from collections.abc import Sequence
from typing import Any

import msgspec
from django.http import QueryDict

from gateway.imaging.searching import recommend_templates, search_templates
from gateway.imaging.templates import Template, list_templates
from gateway.surfaces.asking import check_query
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.image_studio.entry import image_entered
from studio.core.errors import InvalidRequest

_LONGEST_QUERY = 200


async def templates(request: Request) -> Answer:
    """List templates, of one platform and of one category if they are named."""
    async with image_entered(request, "image"):
        query = _query(request, "platform", "category")
        found = list_templates(
            platform=query.get("platform") or None, category=query.get("category") or None
        )
        return _answer([_shown(one) for one in found])


async def search(request: Request) -> Answer:
    """Find templates by words, the nearest first."""
    async with image_entered(request, "image"):
        words = _words(_query(request, "query"), "query")
        return _answer([_shown(one) for one in search_templates(words)])


async def recommend(request: Request) -> Answer:
    """Find templates for a use, the most fitting first, each with its reason."""
    async with image_entered(request, "image"):
        query = _query(request, "use_case", "platform")
        found = recommend_templates(
            _words(query, "use_case"), platform=query.get("platform") or None
        )
        return _answer([{**_shown(one.template), "reason": one.reason} for one in found])


def _query(request: Request, *known: str) -> QueryDict:
    """Read the query. Raises: InvalidRequest for a parameter that means nothing here."""
    query = QueryDict(request.query)
    check_query(query, known)
    return query


def _words(query: QueryDict, name: str) -> str:
    """Read the words to look for. Raises: InvalidRequest if there are none, or too many."""
    words = query.get(name, "").strip()
    if not any(letter.isalnum() for letter in words):
        raise InvalidRequest(f"{name}: required.", details={"param": name})
    if len(words) > _LONGEST_QUERY:
        raise InvalidRequest(
            f"{name}: at most {_LONGEST_QUERY} characters.", details={"param": name}
        )
    return words


def _shown(template: Template) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(template)
    return shown


def _answer(found: Sequence[dict[str, Any]]) -> Answer:
    return Answer(body=msgspec.json.encode({"templates": found, "total": len(found)}))
