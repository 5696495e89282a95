"""What OpenRouter says a call cost us: read alike from the usage of chats and of images.

Source: OpenRouter's OpenAPI 1.0.0 (Aug 2026), ChatUsage and ImageGenerationUsage.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.providers.openai_form import NO_RAW, read_usd


class _CostDetails(Struct):
    upstream_inference_cost: Raw = NO_RAW


class _Costs(Struct):
    cost: Raw = NO_RAW
    is_byok: Any = False
    cost_details: _CostDetails | None = None


_COSTS = msgspec.json.Decoder(_Costs)


def read_cost(usage: Raw) -> int | None:
    """Read what the call cost us, in µcr; with a key of ours lent to OpenRouter that is its fee and
    the provider's bill. None where it does not say, or is not to be believed.
    """
    try:
        costs = _COSTS.decode(usage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    cost_ucr = read_usd(costs.cost)
    if costs.is_byok is True and cost_ucr is not None:
        bill_ucr = read_usd((costs.cost_details or _CostDetails()).upstream_inference_cost)
        cost_ucr = None if bill_ucr is None else cost_ucr + bill_ucr
    return cost_ucr
