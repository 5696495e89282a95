"""What a chat that ended is charged and recorded as."""

import time

from gateway.attempts import Attempts
from gateway.operations.chat import ChatUsage
from gateway.providers.base import Reply, UpstreamFailure
from gateway.quoting import HeldChat
from gateway.statements import Outcome
from studio.accounts.callers import Caller

_NOTHING = ChatUsage(input_tokens=0, output_tokens=0, source="none")


def used_by_reply(held: HeldChat, attempts: Attempts, reply: Reply) -> ChatUsage | None:
    """Give what a finished answer used; None, and no charge, if there is nothing to pay for."""
    reported = reply.usage
    if not is_payable(reported, delivered=reply.delivered, finish_reason=reply.finish_reason):
        return None
    return reported or ChatUsage(
        input_tokens=held.input_estimate,
        output_tokens=min(reply.counted_tokens, attempts.candidate.output_tokens),
        source="counted",
    )


def is_payable(reported: ChatUsage | None, *, delivered: bool, finish_reason: str | None) -> bool:
    """Tell whether an answer is paid for: it delivered something, or spent its limit on reasoning.

    A block by moderation and an empty answer cost nothing.
    """
    if delivered:
        return True
    spent = reported is not None and reported.output_tokens > 0
    return spent and finish_reason != "content_filter"


def end_state(failure: UpstreamFailure | None, *, left: bool, delivered: bool) -> tuple[str, str]:
    """Name how a stream ended, and why: the provider's end decides, not the caller's socket.

    `left` is whether the caller went away before the provider had finished.
    """
    if left:
        return "cancelled", "client_left"
    if failure is not None:
        return ("interrupted" if delivered else "failed"), failure.code
    return "succeeded", ""


def charge_ucr(held: HeldChat, attempts: Attempts, usage: ChatUsage | None) -> int:
    """Give what the caller pays: by the price of the route that answered, nothing by its own key.

    Never more than was held for the same usage: the hold covers the dearest route.
    """
    price = attempts.candidate.priced.price
    if usage is None or price is None or not held.paid:
        return 0
    return price.charge_ucr(usage, held.task.caller.markup_bp)


def outcome_of(  # noqa: PLR0913  one row of the usage table has this many sources
    held: HeldChat,
    attempts: Attempts,
    usage: ChatUsage | None,
    *,
    state: str,
    reason: str,
    http_status: int,
    first_s: float | None,
    answer: bytes | None,
    media_type: str,
    in_flight: bool = False,
    counted_output_tokens: int | None = None,
) -> Outcome:
    """Put together what the settle statement writes; without usage the hold is released whole.

    An Idempotency-Key is free again only where nothing was delivered. `in_flight` is whether we
    left a provider at work: it likely bills us the input.
    """
    route = attempts.candidate.priced.route
    used = usage or _NOTHING
    return Outcome(
        id=held.task.id,
        workspace_id=held.task.caller.workspace_id,
        ledger_kind="usage" if usage else "void",
        charge_ucr=charge_ucr(held, attempts, usage),
        cost_ucr=_cost_ucr(held, attempts, usage, in_flight=in_flight),
        provider=route.provider,
        model=route.model,
        state=state,
        reason=reason,
        http_status=http_status,
        input_tokens=used.input_tokens,
        cached_input_tokens=used.cached_input_tokens,
        cache_write_tokens=used.cache_write_tokens,
        output_tokens=used.output_tokens,
        reasoning_tokens=used.reasoning_tokens,
        usage_source=used.source,
        latency_ms=round((time.perf_counter() - attempts.sent_s) * 1000),
        first_byte_ms=round((first_s - attempts.sent_s) * 1000) if first_s is not None else None,
        billing=held.billing,
        attempts=attempts.number,
        attempt_log=attempts.log,
        counted_input_tokens=held.input_estimate if usage else None,
        counted_output_tokens=counted_output_tokens if usage else None,
        capped=held.paid and _is_capped(held.task.caller),
        keep_answer=held.task.claim is not None and (state == "succeeded" or usage is not None),
        answer=answer,
        answer_media_type=media_type,
    )


def _is_capped(caller: Caller) -> bool:
    return caller.spend_cap_ucr is not None and caller.app_key_id is not None


def _cost_ucr(
    held: HeldChat, attempts: Attempts, usage: ChatUsage | None, *, in_flight: bool
) -> int:
    """Give what the call costs us, attempts that were lost on the way included.

    What the provider itself says it costs counts. Of a call that was broken off it is the input's
    price: our loss, and visible.
    """
    price = attempts.candidate.priced.price
    if price is None or not held.paid:
        return 0
    if usage is not None and usage.provider_cost_ucr is not None:
        own_ucr = usage.provider_cost_ucr
    elif usage is not None:
        own_ucr = price.cost_ucr(usage)
    elif in_flight:
        own_ucr = price.cost_ucr(ChatUsage(input_tokens=held.input_estimate, output_tokens=0))
    else:
        own_ucr = 0
    return own_ucr + attempts.lost_ucr
