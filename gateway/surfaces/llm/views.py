"""The llm surface behind the Django door."""

from django.http import HttpResponse

from gateway.surfaces.balances import balance_body
from gateway.surfaces.middleware import ApiRequest, json_response


async def credits(request: ApiRequest) -> HttpResponse:
    """Say what the workspace has: available, held, expiring, in credits."""
    return json_response(await balance_body(request))
