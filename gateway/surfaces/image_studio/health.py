"""GET /api/image-studio/health, which anybody may ask: what of Image Studio works now."""

import msgspec

from gateway.imaging.models import MODELS
from gateway.imaging.templates import TEMPLATES
from gateway.runtime import Runtime
from gateway.surfaces.door import Answer, Request

_VERSION = "1.0.0"
"""Of the API, as it was published."""
_OPERATIONS = {
    "edit_studio": "image_edit",
    "upscale_studio": "image_upscale",
    "control_studio": "image_control",
    "social_optimizer": "image_fit",
}


async def health(request: Request) -> Answer:
    """Say which parts are available: a model with a price, and a provider that is not resting."""
    runtime = request.runtime
    own_models = {model.key for model in MODELS}
    creating = any(_works(runtime, key) for key in own_models)
    modules = {
        "create_studio": creating,
        **{name: _does(runtime, operation) for name, operation in _OPERATIONS.items()},
        "templates": bool(TEMPLATES),
        "providers": creating,
    }
    body = {
        "status": "healthy" if all(modules.values()) else "degraded",
        "service": "image_studio",
        "version": _VERSION,
        "modules": {name: "available" if up else "unavailable" for name, up in modules.items()},
    }
    return Answer(body=msgspec.json.encode(body), headers=[(b"cache-control", b"no-store")])


def _does(runtime: Runtime, operation: str) -> bool:
    """Tell whether there is a kind for this operation that can be called now."""
    return any(
        _works(runtime, f"{route.provider}:{route.model}")
        for resolution in runtime.catalogue.channels["stable"].kinds.values()
        for route in resolution.routes
        if route.operation == operation
    )


def _works(runtime: Runtime, key: str) -> bool:
    resolution = runtime.catalogue.channels["stable"].keys.get(key)
    if resolution is None or not runtime.can_call(resolution.routes[0]):
        return False
    route = resolution.routes[0]
    upstream = runtime.upstreams.get(route.provider)
    return runtime.breaker.circuit(upstream).wait_s(route.model) == 0
