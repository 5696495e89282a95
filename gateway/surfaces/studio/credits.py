"""The studio surface's money: balance, ledger, receipts, caps, alerts."""

from decimal import Decimal
from typing import Literal

import msgspec
from django.http import HttpResponse

from billing.alerts import AlertChange, AlertState, read_alerts, set_alerts
from billing.budgets import BudgetItem, BudgetState, Period, read_budgets, read_time_zone
from billing.journal import (
    ENTRY_KINDS,
    MOST_ENTRIES,
    JournalEntry,
    JournalPage,
    JournalQuestion,
    read_journal,
)
from gateway.admission import require_scope
from gateway.budgets import set_budgets
from gateway.operations.json_body import read_body
from gateway.receipts import Receipt, read_receipt
from gateway.surfaces import asking
from gateway.surfaces.balances import balance_body
from gateway.surfaces.middleware import ApiRequest, json_response
from gateway.surfaces.studio.receipt_body import receipt_body
from studio.accounts.callers import Caller
from studio.accounts.scopes import KEY_MANAGEMENT
from studio.core.errors import InvalidRequest

_LEDGER_QUERY = ("limit", "cursor", "kind", "from", "to", "request_id")
_READ = "credits:read"


class _EntryBody(msgspec.Struct, kw_only=True):
    """One entry. Amounts are credits; `balance` is what there was after it, held ones included."""

    request_id: str
    seq: int
    at: str
    kind: str
    amount: msgspec.Raw
    owed_change: msgspec.Raw
    balance: msgspec.Raw
    reference: str | None


class _BudgetAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A cap as a client asks for it."""

    scope: Literal["workspace", "key", "app"]
    period: Period
    cap: Decimal
    key: str | None = None
    app: str | None = None
    alert_percent: int | None = None


class _BudgetsAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """All caps of a workspace."""

    budgets: list[_BudgetAsked]


class _BudgetBody(msgspec.Struct, kw_only=True):
    """A cap, what is spent of it in its present window, and when that ends."""

    scope: str
    key: str | None
    app: str | None
    period: str
    cap: msgspec.Raw
    spent: msgspec.Raw
    alert_percent: int | None
    window_start: str
    resets_at: str


class _AlertsAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whom to tell, and when. `rotate_secret` makes a new secret for the same webhook."""

    low_balance: Decimal | None = None
    emails: list[str] = []
    webhook_url: str | None = None
    rotate_secret: bool = False


class _AlertsBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """As asked; `webhook_secret` is there once, when it is new."""

    low_balance: msgspec.Raw | None
    emails: tuple[str, ...]
    webhook_url: str | None
    webhook_secret: str | msgspec.UnsetType = msgspec.UNSET


_budgets_asked = msgspec.json.Decoder(_BudgetsAsked)
_alerts_asked = msgspec.json.Decoder(_AlertsAsked)


async def credits(request: ApiRequest) -> HttpResponse:
    """Say what the workspace has: available, held, expiring, in credits."""
    return json_response(await balance_body(request))


async def ledger(request: ApiRequest) -> HttpResponse:
    """List the workspace's journal, the newest first, a page at a time."""
    caller = _enter(request, "GET", scope=_READ)
    asking.check_query(request.GET, _LEDGER_QUERY)
    question = JournalQuestion(
        kinds=_kinds(request),
        since=asking.read_moment(request.GET, "from"),
        until=asking.read_moment(request.GET, "to"),
        request_id=asking.read_id(request.GET.get("request_id"), "request_id"),
        limit=asking.read_count(request.GET, "limit", default=50, most=MOST_ENTRIES),
        cursor=request.GET.get("cursor"),
    )
    page: JournalPage = await asking.in_thread(read_journal, caller.workspace_id, question)
    entries = [_entry_body(entry) for entry in page.entries]
    return json_response(
        {
            "object": "list",
            "data": entries,
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
            "currency": "credits",
        }
    )


async def receipt(request: ApiRequest, request_id: str) -> HttpResponse:
    """Show what one call held, tried, was charged and was paid back, by which prices."""
    caller = _enter(request, "GET", scope=_READ)
    asked = asking.read_id(request_id, "request_id")
    assert asked is not None, "the path has one"
    found: Receipt = await asking.in_thread(read_receipt, asked, workspace_id=caller.workspace_id)
    return json_response(receipt_body(found))


async def budgets(request: ApiRequest) -> HttpResponse:
    """Show the workspace's spend caps per window, or replace all of them."""
    if request.method == "PUT":
        caller = _enter(request, "PUT", scope=KEY_MANAGEMENT)
        asked = read_body(_budgets_asked, request.body).budgets
        items = [_item(place, budget) for place, budget in enumerate(asked)]
        await asking.in_thread(set_budgets, workspace_id=caller.workspace_id, items=items)
        # Others learn of it within a second.
        await request.runtime.refresh_world()
    else:
        caller = _enter(request, "GET", "PUT", scope=_READ)
    states, zone = await asking.in_thread(_budget_states, caller.workspace_id)
    bodies = [_budget_body(state) for state in states]
    return json_response({"budgets": bodies, "time_zone": zone, "currency": "credits"})


async def alerts(request: ApiRequest) -> HttpResponse:
    """Show whom the workspace wants told about its money, or change it."""
    if request.method != "PUT":
        caller = _enter(request, "GET", "PUT", scope=_READ)
        state: AlertState = await asking.in_thread(read_alerts, caller.workspace_id)
        return json_response(_alerts_body(state))
    caller = _enter(request, "PUT", scope=KEY_MANAGEMENT)
    asked = read_body(_alerts_asked, request.body)
    low = asked.low_balance
    change = AlertChange(
        low_balance_ucr=None if low is None else asking.read_credits(low, "low_balance"),
        emails=tuple(asked.emails),
        webhook_url=asked.webhook_url or "",
        rotate_secret=asked.rotate_secret,
    )
    state = await asking.in_thread(set_alerts, workspace_id=caller.workspace_id, change=change)
    return json_response(_alerts_body(state))


def _enter(request: ApiRequest, *methods: str, scope: str) -> Caller:
    asking.allow_methods(request, *methods)
    caller = asking.caller_of(request)
    require_scope(caller, scope)
    return caller


def _kinds(request: ApiRequest) -> tuple[str, ...]:
    text = request.GET.get("kind")
    kinds = tuple(text.split(",")) if text else ()
    for kind in kinds:
        if kind not in ENTRY_KINDS:
            raise InvalidRequest(
                f"kind: there are {', '.join(ENTRY_KINDS)}.", details={"param": "kind"}
            )
    return kinds


def _entry_body(entry: JournalEntry) -> _EntryBody:
    return _EntryBody(
        request_id=str(entry.request_id),
        seq=entry.seq,
        at=entry.at.isoformat(),
        kind=entry.kind,
        amount=asking.credit_number(entry.amount_ucr),
        owed_change=asking.credit_number(entry.owed_ucr),
        balance=asking.credit_number(entry.balance_ucr),
        reference=entry.reference,
    )


def _item(place: int, asked: _BudgetAsked) -> BudgetItem:
    """Read a cap: what it names must be what its scope says."""
    named = {"key": asked.key, "app": asked.app}
    for scope, value in named.items():
        if (value is not None) != (scope == asked.scope):
            needed = "needs" if scope == asked.scope else "has no"
            where = f"budgets[{place}].{scope}"
            raise InvalidRequest(
                f"{where}: a cap of the {asked.scope} {needed} {scope}.", details={"param": where}
            )
    return BudgetItem(
        key_id=asked.key,
        app_id=asked.app,
        period=asked.period,
        cap_ucr=asking.read_credits(asked.cap, f"budgets[{place}].cap"),
        alert_percent=asked.alert_percent,
    )


def _budget_states(workspace_id: int) -> tuple[list[BudgetState], str]:
    return read_budgets(workspace_id), read_time_zone(workspace_id)


def _budget_body(state: BudgetState) -> _BudgetBody:
    item = state.item
    return _BudgetBody(
        scope=item.scope,
        key=item.key_id,
        app=item.app_id,
        period=item.period,
        cap=asking.credit_number(item.cap_ucr),
        spent=asking.credit_number(state.spent_ucr),
        alert_percent=item.alert_percent,
        window_start=state.window.starts_at.isoformat(),
        resets_at=state.window.ends_at.isoformat(),
    )


def _alerts_body(state: AlertState) -> _AlertsBody:
    low_ucr = state.low_balance_ucr
    return _AlertsBody(
        low_balance=None if low_ucr is None else asking.credit_number(low_ucr),
        emails=state.emails,
        webhook_url=state.webhook_url or None,
        webhook_secret=state.new_secret or msgspec.UNSET,
    )
