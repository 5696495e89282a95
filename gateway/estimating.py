"""What a call would cost, without making it: nothing is held, charged or sent.

The ceiling is worked out by what holds the call itself, so both say the same of the same body.
"""

import msgspec

from billing.pricing import CallPrice
from gateway.operations.chat import ChatUsage
from gateway.purse import Purse, read_purse
from gateway.quoting import ChatQuote, ChatTask, affordable_candidates, quote_chat
from gateway.runtime import Runtime
from gateway.single_quotes import SingleTask, Work, quote_single

LIKELY_OUTPUT_TOKENS = 256
"""What one answer is taken to have: some paragraphs, or a tool call or two. A median of the
workspace's own answers would be nearer, and would cost a search of its records for each estimate.
"""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """The most tokens there may be, and how many there likely are."""

    ceiling: int
    likely: int


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a call would be made by, and what it would cost. Amounts in µcr, markup in 1/100 %.

    `price` is by its meters, None where a user's own key needs none. `affordable` is whether the
    wallet, its freeze and the key's cap let the call go out now.
    """

    provider: str
    model: str
    kind: str
    channel: str
    billing: str
    markup_bp: int
    price: CallPrice | None
    price_version: int
    ceiling_ucr: int
    likely: ChatUsage
    input_tokens: Tokens
    output_tokens: Tokens
    affordable: bool
    available_ucr: int

    @property
    def likely_ucr(self) -> int:
        """What the likely usage is charged as."""
        if self.billing != "credits" or self.price is None:
            return 0
        return min(self.ceiling_ucr, self.price.charge_ucr(self.likely, self.markup_bp))


async def estimate_chat(runtime: Runtime, task: ChatTask) -> Estimate:
    """Estimate one chat by the first route it may take; its ceiling covers them all.

    Raises: what `quote_chat` raises.
    """
    quote = quote_chat(runtime, task)
    purse = await read_purse(
        runtime, task.caller, app_id=task.app_id, paid=quote.billing == "credits"
    )
    quote = _within(quote, purse)
    first, choices = quote.candidates[0], task.request.n or 1
    likely = ChatUsage(
        input_tokens=min(quote.input_estimate, first.input_tokens),
        output_tokens=min(first.output_tokens, LIKELY_OUTPUT_TOKENS * choices),
        source="counted",
    )
    return Estimate(
        provider=first.priced.route.provider,
        model=first.priced.route.model,
        kind=quote.resolution.kind,
        channel=quote.resolution.channel,
        billing=quote.billing,
        markup_bp=task.caller.markup_bp if quote.billing == "credits" else 0,
        price=first.priced.price,
        price_version=quote.price_version,
        ceiling_ucr=quote.ceiling_ucr,
        likely=likely,
        input_tokens=Tokens(ceiling=first.input_tokens, likely=likely.input_tokens),
        output_tokens=Tokens(ceiling=first.output_tokens, likely=likely.output_tokens),
        affordable=purse.open and quote.ceiling_ucr <= purse.available_ucr,
        available_ucr=purse.available_ucr,
    )


async def estimate_single(runtime: Runtime, task: SingleTask, work: Work[bytes]) -> Estimate:
    """Estimate one call that is paid for by its input. Raises: what `quote_single` raises."""
    quote = quote_single(runtime, task, work)
    purse = await read_purse(
        runtime, task.caller, app_id=task.app_id, paid=quote.billing == "credits"
    )
    most, likely = work.ceiling, work.estimate
    return Estimate(
        provider=quote.route.provider,
        model=quote.route.model,
        kind=quote.resolution.kind,
        channel=quote.resolution.channel,
        billing=quote.billing,
        markup_bp=quote.markup_bp,
        price=quote.price,
        price_version=quote.price_version,
        ceiling_ucr=quote.hold_ucr,
        likely=likely,
        input_tokens=Tokens(ceiling=most.input_tokens, likely=likely.input_tokens),
        output_tokens=Tokens(ceiling=0, likely=0),
        affordable=purse.open and quote.hold_ucr <= purse.available_ucr,
        available_ucr=purse.available_ucr,
    )


def _within(quote: ChatQuote, purse: Purse) -> ChatQuote:
    """Shorten the answer as the hold would, where the wallet is too thin and none was named."""
    if quote.billing != "credits" or quote.ceiling_ucr <= purse.available_ucr:
        return quote
    affordable = affordable_candidates(quote, purse.available_ucr)
    return msgspec.structs.replace(quote, candidates=affordable) if affordable else quote
