"""What a chat that ended is charged and recorded as."""

import time

from gateway.operations.chat import ChatUsage
from gateway.providers.base import Reply, UpstreamFailure
from gateway.quoting import HeldChat
from gateway.statements import Outcome


def used_by_reply(held: HeldChat, reply: Reply) -> ChatUsage | None:
    """Give what a finished answer used; None, and no charge, if there is nothing to pay for."""
    reported = reply.usage
    if not is_payable(reported, delivered=reply.delivered, finish_reason=reply.finish_reason):
        return None
    return reported or ChatUsage(
        input_tokens=held.input_estimate,
        output_tokens=min(reply.counted_tokens, held.output_ceiling),
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


def outcome_of(  # noqa: PLR0913  one row of the usage table has this many sources
    held: HeldChat,
    usage: ChatUsage | None,
    *,
    state: str,
    reason: str,
    http_status: int,
    sent_s: float,
    first_s: float | None,
    answer: bytes | None,
    media_type: str,
    keep_answer: bool = True,
) -> Outcome:
    """Put together what the settle statement writes; without usage nothing is charged and the hold
    is released.
    """
    now_s = time.perf_counter()
    caller = held.task.caller
    used = usage or ChatUsage(input_tokens=0, output_tokens=0, source="none")
    # A call that was broken off is likely billed to us for its input: our loss, and visible.
    lost = ChatUsage(input_tokens=held.input_estimate, output_tokens=0)
    return Outcome(
        id=held.task.id,
        workspace_id=caller.workspace_id,
        ledger_kind="usage" if usage else "void",
        charge_ucr=held.price.charge_ucr(usage, caller.markup_bp) if usage else 0,
        cost_ucr=held.price.cost_ucr(usage or lost) if usage or state == "cancelled" else 0,
        provider=held.priced.route.provider,
        model=held.priced.route.model,
        state=state,
        reason=reason,
        http_status=http_status,
        input_tokens=used.input_tokens,
        cached_input_tokens=used.cached_input_tokens,
        cache_write_tokens=used.cache_write_tokens,
        output_tokens=used.output_tokens,
        reasoning_tokens=used.reasoning_tokens,
        usage_source=used.source,
        latency_ms=round((now_s - sent_s) * 1000),
        first_byte_ms=round((first_s - sent_s) * 1000) if first_s is not None else None,
        capped=caller.spend_cap_ucr is not None and caller.app_key_id is not None,
        keep_answer=keep_answer and state == "succeeded" and held.task.claim is not None,
        answer=answer,
        answer_media_type=media_type,
    )
