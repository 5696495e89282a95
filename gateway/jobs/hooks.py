"""`POST /hooks/<provider>/<run>.<signature>`: the door for providers' messages. Public, no CSRF."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from gateway.jobs.callbacks import ProviderMessage, take_message
from gateway.surfaces.asking import in_thread
from studio.core.errors import GatewayError

_MOST_BYTES = 256 * 1024


@csrf_exempt
@require_POST
async def provider_message(
    request: HttpRequest, provider: str, run_id: UUID, signature: str
) -> HttpResponse:
    """Take a message: 200 also for one that comes again or too late."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > _MOST_BYTES or len(request.body) > _MOST_BYTES:
        return HttpResponse(status=413)
    message = ProviderMessage(
        provider=provider,
        run_id=run_id,
        signature=signature,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.body,
    )
    try:
        await in_thread(take_message, message)
    except GatewayError as error:
        return HttpResponse(status=error.status)
    return HttpResponse(status=200)
