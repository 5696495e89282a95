"""Steps of people of ours and of disputes: requests for money, approvals, freezes.

Amounts are µcr; `staff` is 0 or 1, for two people. Every request has a key of its own.
"""

from collections.abc import Callable
from uuid import UUID

from bench.torture.steps import ALONE_UCR, Account, Request, Step
from billing import disputes, freezing, money_requests
from studio.core.errors import GatewayError
from studio.core.ids import event_id, new_id_text

_WORDS = {
    "credited": "executed",
    "adjusted": "executed",
    "refunded": "executed",
    "paid_out": "executed",
    "too_much": "MoreThanThereIs",
    "insufficient": "MoreThanThereIs",
}


def refund(account: Account, staff: int, call_id: str, amount: int) -> Step:
    """Staff refunds a call, or a part of it."""
    key = new_id_text()
    wallet = account.wallet

    def product() -> money_requests.Outcome:
        return money_requests.refund_call(
            workspace_id=account.workspace_id,
            call_id=UUID(call_id),
            amount_ucr=amount,
            reason="a bad answer",
            staff=account.staff[staff],
            key=key,
        )

    def check() -> str:
        call = wallet.calls.get(call_id)
        if call is None or call.state != "usage":
            return "CallNotCharged"
        return "MoreThanThereIs" if amount > call.refundable else ""

    def oracle() -> str:
        return check() or _WORDS[wallet.refund(call_id, amount, key)]

    return _request(account, staff, amount, key, ("refund", product, oracle, check))


def grant(account: Account, staff: int, amount: int) -> Step:
    """Staff gives credit."""
    key = new_id_text()

    def product() -> money_requests.Outcome:
        return money_requests.grant_credit(
            workspace_id=account.workspace_id,
            amount_ucr=amount,
            reason="goodwill",
            staff=account.staff[staff],
            key=key,
        )

    def oracle() -> str:
        account.wallet.add("grant", amount, paid=False)
        return "executed"

    return _request(account, staff, amount, key, ("grant", product, oracle, lambda: ""))


def adjust(account: Account, staff: int, amount: int, *, paid: bool) -> Step:
    """Staff corrects paid or given credit, up or down."""
    key = new_id_text()

    def product() -> money_requests.Outcome:
        return money_requests.adjust_credit(
            workspace_id=account.workspace_id,
            amount_ucr=amount,
            paid=paid,
            reason="a correction",
            staff=account.staff[staff],
            key=key,
        )

    def oracle() -> str:
        return _WORDS[account.wallet.adjust(amount, paid=paid)]

    return _request(account, staff, amount, key, ("adjust", product, oracle, lambda: ""))


def pay_out(account: Account, staff: int, top_up_id: str, amount: int) -> Step:
    """Staff pays out what is free of a top-up."""
    key = new_id_text()

    def product() -> money_requests.Outcome:
        return money_requests.pay_out_top_up(
            workspace_id=account.workspace_id,
            top_up_id=UUID(top_up_id),
            amount_ucr=amount,
            reason="card refund",
            staff=account.staff[staff],
            key=key,
        )

    def oracle() -> str:
        return _WORDS[account.wallet.pay_out(top_up_id, amount, key, force=False)]

    return _request(account, staff, amount, key, ("pay out", product, oracle, lambda: ""))


def approve(account: Account, staff: int, key: str) -> Step:
    """Somebody approves a request, whether they may or not."""
    request = account.requests[key]

    def ask() -> str:
        return _word(
            lambda: money_requests.approve(
                request_id=_request_id(account, key), staff=account.staff[staff]
            )
        )

    def tell() -> str:
        if request.state != "waiting":
            return "AlreadyDecided"
        if request.staff == staff:
            return "SecondPersonNeeded"
        word = request.tell()
        if word == "executed":
            request.state = "executed"
        return word

    return Step(name="approve", ask=ask, tell=tell, again=lambda: "AlreadyDecided")


def reject(account: Account, staff: int, key: str) -> Step:
    """Somebody rejects a request."""
    request = account.requests[key]

    def ask() -> str:
        return _word(
            lambda: money_requests.reject(
                request_id=_request_id(account, key), staff=account.staff[staff]
            )
        )

    def tell() -> str:
        if request.state != "waiting":
            return "AlreadyDecided"
        request.state = "rejected"
        return "rejected"

    return Step(name="reject", ask=ask, tell=tell, again=lambda: "AlreadyDecided")


def _request(
    account: Account,
    staff: int,
    amount: int,
    key: str,
    parts: tuple[str, Callable[[], money_requests.Outcome], Callable[[], str], Callable[[], str]],
) -> Step:
    """Ask for money: at once up to the limit, waiting above it."""
    name, product, oracle, check = parts

    def tell() -> str:
        needs_two = account.alone[staff] + abs(amount) > ALONE_UCR
        word = (check() or "waiting") if needs_two else oracle()
        if word in ("waiting", "executed"):
            account.requests[f"{name}:{key}"] = Request(
                staff=staff, amount=amount, needs_two=needs_two, state=word, tell=oracle
            )
        if word == "executed":
            account.alone[staff] += abs(amount)
        return word

    return Step(
        name=name,
        ask=lambda: _word(product),
        tell=tell,
        again=lambda: f"again {account.requests[f'{name}:{key}'].state}",
    )


_KINDS = {"refund": "refund", "grant": "grant", "adjust": "adjustment", "pay out": "payout"}


def _request_id(account: Account, key: str) -> UUID:
    name, _, once = key.partition(":")
    return event_id(f"{_KINDS[name]}:{account.workspace_id}:{once}")


def open_dispute(account: Account, top_up_id: str, amount: int) -> Step:
    """A payer disputes a payment."""
    reference = f"dp_{new_id_text()}"
    wallet = account.wallet

    def ask() -> str:
        return _dispute_word(
            lambda: disputes.open_dispute(
                workspace_id=account.workspace_id,
                top_up_id=UUID(top_up_id),
                amount_ucr=amount,
                reference=reference,
                reason="fraudulent",
            )
        )

    def tell() -> str:
        word = wallet.pay_out(top_up_id, amount, reference, force=True)
        if word != "paid_out":
            return _WORDS[word]
        wallet.freezes[reference] = True
        account.disputes[reference] = (top_up_id, amount, "open")
        return "open"

    return Step(
        name="dispute",
        ask=ask,
        tell=tell,
        again=lambda: f"again {account.disputes[reference][2]}",
    )


def close_dispute(account: Account, reference: str, state: str) -> Step:
    """A dispute is won or lost."""
    close = disputes.win_dispute if state == "won" else disputes.lose_dispute

    def tell() -> str:
        top_up_id, amount, before = account.disputes[reference]
        if before != "open":
            return f"again {state}" if before == state else "AlreadyDecided"
        account.disputes[reference] = (top_up_id, amount, state)
        if state == "won":
            account.wallet.reinstate(top_up_id, amount, reference)
            account.wallet.freezes[reference] = False
        return state

    return Step(
        name=state,
        ask=lambda: _dispute_word(lambda: close(reference=reference)),
        tell=tell,
        again=lambda: f"again {state}",
    )


def freeze(account: Account) -> Step:
    """Staff freezes a wallet."""
    key = new_id_text()

    def ask() -> str:
        try:
            frozen = freezing.freeze_wallet(
                workspace_id=account.workspace_id,
                reason="abuse",
                staff=account.staff[0],
                key=key,
            )
        except GatewayError as error:
            return type(error).__name__
        return "again frozen" if frozen.repeated else "set"

    def tell() -> str:
        account.wallet.freezes[key] = True
        return "set"

    def again() -> str:
        return "again frozen" if account.wallet.freezes[key] else "AlreadyDecided"

    return Step(name="freeze", ask=ask, tell=tell, again=again)


def lift(account: Account, key: str) -> Step:
    """Staff lifts a freeze, a dispute's too."""
    kind = "dispute" if key in account.disputes else f"freeze:{account.workspace_id}"
    freeze_id = event_id(f"{kind}:{key}")

    def ask() -> str:
        lifted = freezing.unfreeze_wallet(
            workspace_id=account.workspace_id,
            freeze_id=freeze_id,
            reason="resolved",
            staff=account.staff[1],
        )
        return "again lifted" if lifted.repeated else "lifted"

    def tell() -> str:
        before, account.wallet.freezes[key] = account.wallet.freezes[key], False
        return "lifted" if before else "again lifted"

    return Step(name="lift", ask=ask, tell=tell, again=lambda: "again lifted")


def _word(ask: Callable[[], money_requests.Outcome]) -> str:
    try:
        outcome = ask()
    except GatewayError as error:
        return type(error).__name__
    return f"again {outcome.state}" if outcome.repeated else outcome.state


def _dispute_word(ask: Callable[[], disputes.DisputeOutcome]) -> str:
    try:
        outcome = ask()
    except GatewayError as error:
        return type(error).__name__
    return f"again {outcome.state}" if outcome.repeated else outcome.state
