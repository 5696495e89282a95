"""Stripe's API over HTTP: forms, versions, idempotency keys, expanded fields, lists, errors.

Source: Stripe's OpenAPI document 2023-08-16; `stripe` 16.1.0 for Python. Each secret key has an
account of its own, so that tests do not see each other. Under `/_control` it is told what payers,
their banks and the network do; README.md lists it. Payers may do it themselves on stripe_pages.py.
Left out: prices and products of their own, subscriptions, taxes, Connect, payouts, search.
"""

import hashlib
from collections.abc import Callable
from urllib.parse import unquote

import msgspec

from sandbox.faults import Faults
from sandbox.messages import Headers, Json, Reply, Request
from sandbox.stripe_account import Account
from sandbox.stripe_form import JSON, StripeError, decoded, number
from sandbox.stripe_objects import API_VERSION, new_id
from sandbox.stripe_pages import page
from sandbox.stripe_webhooks import Plan

_ACCOUNTS: dict[str, Account] = {}
_MOST_LISTED = 100
_LOOK_AGAIN_MS = 10
_MAKERS: dict[str, Callable[[Account, Json], Json]] = {
    "customers": Account.make_customer,
    "checkout/sessions": Account.make_session,
    "payment_intents": Account.make_intent,
    "refunds": Account.make_refund,
    "billing_portal/sessions": Account.make_portal,
}
_KINDS = {
    "customers": "customer",
    "checkout/sessions": "checkout.session",
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
    "invoices": "invoice",
}


def open_account(secret_key: str, *, webhooks: Plan) -> None:
    """Open an account that sends its events from the start, as that of a demo does."""
    account = Account(live=secret_key.startswith("sk_live_"), adopts=True)
    account.webhooks.plan = webhooks
    _ACCOUNTS[secret_key] = account


def answer(request: Request) -> Reply:
    """Answer one request as api.stripe.com would."""
    shown = page(_ACCOUNTS.values(), request)
    if shown is not None:
        return shown
    headers: Headers = [
        (b"request-id", f"req_{request.number:014d}".encode()),
        (b"stripe-version", request.header(b"stripe-version").encode() or API_VERSION.encode()),
    ]
    try:
        account = _account_of(request)
        account.pages = f"http://{request.header(b'host')}/stripe"
        if request.path.startswith("/_control/"):
            return _control(account, request)
        if account.outage:
            raise StripeError("Something went wrong on our end.", status=account.outage.pop(0))
        return _served(account, request, headers)
    except StripeError as error:
        return error.reply(headers)


def _account_of(request: Request) -> Account:
    """Find the account of a key. Raises: StripeError."""
    scheme, _, key = request.header(b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not key.startswith(("sk_test_", "sk_live_")):
        raise StripeError("You did not provide an API key.", status=401)
    if "invalid" in key:
        raise StripeError(f"Invalid API Key provided: {key[:8]}****{key[-4:]}", status=401)
    if key not in _ACCOUNTS:
        _ACCOUNTS[key] = Account(live=key.startswith("sk_live_"))
    return _ACCOUNTS[key]


def _served(account: Account, request: Request, headers: Headers) -> Reply:
    """Answer, or repeat the answer of the same idempotency key. Raises: StripeError."""
    key = request.header(b"idempotency-key")
    if request.method != "POST" or not key:
        return _reply(_route(account, request), headers)
    asked = hashlib.sha256(request.path.encode() + b"\n" + request.body).hexdigest()
    if key in account.answers:
        before, status, body = account.answers[key]
        if before != asked:
            message = "Keys for idempotent requests can only be used with the same parameters"
            raise StripeError(message, type="idempotency_error")
        return Reply(
            status=status, headers=[JSON, *headers, (b"idempotent-replayed", b"true")], body=body
        )
    try:
        reply = _reply(_route(account, request), headers)
    except StripeError as error:
        reply = error.reply(headers)
    account.answers[key] = (asked, reply.status, reply.body)
    return reply


def _reply(body: Json, headers: Headers) -> Reply:
    return Reply(headers=[JSON, *headers], body=msgspec.json.encode(body))


def _route(account: Account, request: Request) -> Json:
    name = request.path.removeprefix("/v1/")
    fields = decoded(request.body.decode() if request.method == "POST" else request.query)
    if request.method == "POST" and name in _MAKERS:
        return _expanded(account, _MAKERS[name](account, fields), fields)
    if request.method == "POST" and name.endswith("/expire"):
        return account.expire_session(name.split("/")[-2])
    if request.method == "GET" and name == "events":
        types = fields.get("types") or []
        if len(types) > 20:
            raise StripeError("You may only specify up to 20 types", param="types")
        told = [event for event in account.events if not types or event["type"] in types]
        return _listed(told, fields, "/v1/events")
    if request.method == "GET" and name == "payment_intents":
        wanted = fields.get("customer")
        made = [kept for kept in account.objects.values() if kept["object"] == "payment_intent"]
        of_one = [kept for kept in made if not wanted or kept["customer"] == wanted]
        return _listed(of_one, fields, "/v1/payment_intents")
    resource, _, object_id = name.rpartition("/")
    if request.method == "GET" and resource in _KINDS:
        found = account.get(_KINDS[resource], unquote(object_id))
        return _expanded(account, found, fields)
    raise StripeError(f"Unrecognized request URL ({request.method}: {request.path}).", status=404)


def _expanded(account: Account, found: Json, fields: Json) -> Json:
    """Put objects where their ids are, as far as `expand` asks. Raises: StripeError."""
    shown = dict(found)
    for name in fields.get("expand") or []:
        if name not in shown:
            raise StripeError(f"This property cannot be expanded ({name}).", param="expand")
        shown[name] = account.objects.get(shown[name], shown[name])
    return shown


def _listed(kept: list[Json], fields: Json, url: str) -> Json:
    """Give the newest first, a page at a time. Raises: StripeError."""
    since = number(fields.get("created") or {}, "gte") or 0
    found = [one for one in reversed(kept) if one["created"] >= since]
    after = fields.get("starting_after")
    if after:
        places = [one["id"] for one in found]
        if after not in places:
            raise StripeError(f"No such object: '{after}'", param="starting_after")
        found = found[places.index(after) + 1 :]
    limit = number(fields, "limit") or 10
    if not 1 <= limit <= _MOST_LISTED:
        raise StripeError("Limit can range between 1 and 100", param="limit")
    return {
        "object": "list",
        "url": url,
        "has_more": len(found) > limit,
        "data": found[:limit],
    }


def _control(account: Account, request: Request) -> Reply:
    """Do what payers, banks and networks do; JSON in, JSON out. Raises: StripeError."""
    name = request.path.removeprefix("/_control/")
    if name == "settled":
        events = account.webhooks.settled()
        return Reply(events=events, faults=Faults(chunk_delay_ms=_LOOK_AGAIN_MS))
    try:
        fields: Json = msgspec.json.decode(request.body or b"{}")
        done = _act(account, name, fields)
    except (KeyError, TypeError, msgspec.DecodeError) as error:
        raise StripeError(f"The sandbox cannot do this: {error!r}") from None
    return _reply(done, [])


def _act(account: Account, name: str, fields: Json) -> Json:
    done = _CONTROLS[name](account, fields)
    return {"id": new_id("done")} if done is None else done


def _plan(account: Account, fields: Json) -> None:
    account.webhooks.plan = msgspec.convert(fields, Plan)


def _flush(account: Account, fields: Json) -> Json:
    return {"deliveries": account.webhooks.flush()}


def _pay(account: Account, fields: Json) -> Json:
    return account.pay(fields["session"], fields.get("card", ""))


def _status(account: Account, fields: Json) -> Json:
    return account.set_status(fields["id"], fields["status"])


def _detach(account: Account, fields: Json) -> Json:
    return account.detach(fields["payment_method"])


def _fail_card(account: Account, fields: Json) -> None:
    account.failing[fields["payment_method"]] = fields["fails"]


def _outage(account: Account, fields: Json) -> None:
    account.outage = list(fields["statuses"])


_CONTROLS: dict[str, Callable[[Account, Json], Json | None]] = {
    "webhooks": _plan,
    "flush": _flush,
    "pay": _pay,
    "dispute": Account.dispute,
    "status": _status,
    "detach": _detach,
    "card": _fail_card,
    "outage": _outage,
}
