"""What staff may ask for beside a wallet, an entry, a payment or a freeze: pages and services."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User

from billing import freezing, money_requests
from billing.admin.form_pages import AdjustForm, CreditsForm, Facts, FormPage, ReasonForm
from billing.models.ledger import Entry, Freeze, Wallet
from billing.models.money import MoneyRequest
from billing.models.payments import Payment, Reversal
from billing.money_requests import Outcome
from billing.queries import read_charge, read_top_up
from studio.accounts.amounts import cents_cell, credits_cell
from studio.core.money import credits_text

_ADJUST = "billing.adjust_wallet"
_REFUND = "billing.refund_call"
_PAY_OUT = "billing.pay_out_top_up"
_Given = dict[str, Any]


def _grant(staff: User, wallet: Wallet, given: _Given) -> str:
    outcome = money_requests.grant_credit(
        workspace_id=wallet.wallet_id,
        amount_ucr=given["credits"],
        reason=given["reason"],
        staff=staff,
        key=str(given["key"]),
    )
    return _told("Granted", outcome, given)


def _adjust(staff: User, wallet: Wallet, given: _Given) -> str:
    outcome = money_requests.adjust_credit(
        workspace_id=wallet.wallet_id,
        amount_ucr=given["credits"],
        paid=given["paid"],
        reason=given["reason"],
        staff=staff,
        key=str(given["key"]),
    )
    return _told("Adjusted by", outcome, given)


def _refund(staff: User, entry: Entry, given: _Given) -> str:
    outcome = money_requests.refund_call(
        workspace_id=entry.wallet_id,
        call_id=entry.call_id,
        amount_ucr=given["credits"],
        reason=given["reason"],
        staff=staff,
        key=str(given["key"]),
    )
    return _told("Refunded", outcome, given)


def _pay_out_entry(staff: User, entry: Entry, given: _Given) -> str:
    return _pay_out(staff, (entry.wallet_id, entry.call_id), given)


def _pay_out_payment(staff: User, payment: Payment, given: _Given) -> str:
    return _pay_out(staff, _top_up_of(payment), given)


def _pay_out(staff: User, top_up: tuple[int, UUID], given: _Given) -> str:
    workspace_id, top_up_id = top_up
    outcome = money_requests.pay_out_top_up(
        workspace_id=workspace_id,
        top_up_id=top_up_id,
        amount_ucr=given["credits"],
        reason=given["reason"],
        staff=staff,
        key=str(given["key"]),
    )
    return _told("Paid out", outcome, given)


def _freeze(staff: User, wallet: Wallet, given: _Given) -> str:
    freeze = freezing.freeze_wallet(
        workspace_id=wallet.wallet_id,
        reason=given["reason"],
        staff=staff,
        key=str(given["key"]),
    )
    return f"{'Frozen before' if freeze.repeated else 'Frozen'}: {given['reason']}"


def _lift(staff: User, freeze: Freeze, given: _Given) -> str:
    lifted = freezing.unfreeze_wallet(
        workspace_id=freeze.wallet_id,
        freeze_id=freeze.freeze_id,
        reason=given["reason"],
        staff=staff,
    )
    still = "; the wallet stays frozen for another reason" if lifted.still_frozen else ""
    return f"{'Lifted before' if lifted.repeated else 'Lifted'}: {given['reason']}{still}"


def _told(done: str, outcome: Outcome, given: _Given) -> str:
    text = f"{credits_text(given['credits'])} credits: {given['reason']}"
    if outcome.state == MoneyRequest.State.WAITING:
        return f"Waits for another person's approval: {text}"
    return f"{done}{' before:' if outcome.repeated else ''} {text}"


def _limit() -> tuple[str, object]:
    limit = f"{settings.TWO_PEOPLE_ABOVE_CREDITS:,} credits within a day"
    return "One person alone", f"up to {limit} and workspace; above it another person approves"


def _of_wallet(wallet: Wallet) -> Facts:
    return [
        ("Available, credits", credits_cell(wallet.available_ucr)),
        ("Held by open calls", credits_cell(wallet.held_ucr)),
        ("Owed", credits_cell(wallet.owed_ucr)),
        ("Frozen", "yes" if wallet.frozen else "no"),
    ]


def _before_moving(wallet: Wallet) -> Facts:
    return [*_of_wallet(wallet), _limit()]


def _of_call(entry: Entry) -> Facts:
    charge = read_charge(workspace_id=entry.wallet_id, call_id=entry.call_id)
    assert charge is not None, "the page is offered beside a usage entry"
    return [
        ("Workspace", entry.workspace_name),
        ("Call", entry.call_id),
        ("Charged, credits", credits_cell(charge.charged_ucr)),
        ("Refunded before", credits_cell(charge.refunded_ucr)),
        ("Left to refund", credits_cell(charge.refundable_ucr)),
        _limit(),
    ]


def _left_of_call(entry: Entry) -> _Given:
    charge = read_charge(workspace_id=entry.wallet_id, call_id=entry.call_id)
    return {"credits": credits_text(charge.refundable_ucr if charge else 0)}


def _of_top_up(workspace_id: int, top_up_id: UUID) -> Facts:
    top_up = read_top_up(workspace_id=workspace_id, top_up_id=top_up_id)
    assert top_up is not None, "the page is offered beside a top-up"
    payment = Payment.objects.filter(top_up_id=top_up_id, workspace_id=workspace_id).first()
    facts: Facts = [
        ("Bought, credits", credits_cell(top_up.bought_ucr)),
        ("Gone back before", credits_cell(top_up.paid_out_ucr - top_up.reinstated_ucr)),
        ("Free now, the most that can be paid out", credits_cell(top_up.free_ucr)),
    ]
    if payment is not None:
        facts += _at_stripe(payment)
    return [*facts, _limit()]


def _at_stripe(payment: Payment) -> Facts:
    refunds = payment.reversals.filter(kind=Reversal.Kind.REFUND, state=Reversal.State.TAKEN)
    cents = sum(refund.amount_cents for refund in refunds)
    return [
        ("Payment", f"{payment.payment_intent_id}"),
        ("Refunded at Stripe", cents_cell(cents, payment.currency)),
        (
            "What happens",
            "The credit goes now. Then send the money back: a refund of this payment at Stripe is"
            " counted against this payout and takes nothing more.",
        ),
    ]


def _free_of(workspace_id: int, top_up_id: UUID) -> _Given:
    top_up = read_top_up(workspace_id=workspace_id, top_up_id=top_up_id)
    return {"credits": credits_text(top_up.free_ucr if top_up else 0)}


def _top_up_of(payment: Payment) -> tuple[int, UUID]:
    assert payment.workspace_id is not None and payment.top_up_id is not None, "it is credited"
    return payment.workspace_id, payment.top_up_id


WALLET_PAGES = (
    FormPage(
        name="grant",
        label="Grant",
        permission=_ADJUST,
        form=CreditsForm,
        act=_grant,
        facts=_before_moving,
    ),
    FormPage(
        name="adjust",
        label="Adjust",
        permission=_ADJUST,
        form=AdjustForm,
        act=_adjust,
        facts=_before_moving,
    ),
    FormPage(
        name="freeze",
        label="Freeze",
        permission=_ADJUST,
        form=ReasonForm,
        act=_freeze,
        facts=_of_wallet,
    ),
)
ENTRY_PAGES = (
    FormPage(
        name="refund",
        label="Refund this call",
        permission=_REFUND,
        form=CreditsForm,
        act=_refund,
        offered=lambda entry: entry.kind == Entry.Kind.USAGE,
        initial=_left_of_call,
        facts=_of_call,
    ),
    FormPage(
        name="payout",
        label="Pay out this top-up",
        permission=_PAY_OUT,
        form=CreditsForm,
        act=_pay_out_entry,
        offered=lambda entry: entry.kind == Entry.Kind.TOPUP,
        initial=lambda entry: _free_of(entry.wallet_id, entry.call_id),
        facts=lambda entry: _of_top_up(entry.wallet_id, entry.call_id),
    ),
)
PAYMENT_PAGES = (
    FormPage(
        name="payout",
        label="Pay out this payment",
        permission=_PAY_OUT,
        form=CreditsForm,
        act=_pay_out_payment,
        offered=lambda payment: payment.credited_at is not None,
        initial=lambda payment: _free_of(*_top_up_of(payment)),
        facts=lambda payment: _of_top_up(*_top_up_of(payment)),
    ),
)
FREEZE_PAGES = (
    FormPage(
        name="lift",
        label="Lift",
        permission=_ADJUST,
        form=ReasonForm,
        act=_lift,
        offered=lambda freeze: freeze.lifted_at is None,
        facts=lambda freeze: [("Workspace", freeze.workspace_name), ("Frozen because", freeze.ref)],
    ),
)
