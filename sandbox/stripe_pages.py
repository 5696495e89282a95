"""What a payer sees: the double's own pages in place of Stripe's, for a demo without an account.

Each says that no money moves. An address that holds an id is all the credential there is, as with
Stripe's own pages.
"""

from collections.abc import Callable, Iterable
from html import escape

from sandbox.messages import Headers, Json, Reply, Request
from sandbox.stripe_account import Account
from sandbox.stripe_form import StripeError, decoded

_HTML = (b"content-type", b"text/html; charset=utf-8")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:4rem auto;max-width:32rem;padding:0 1rem}"
    "h1{font-size:1.3rem}.note{background:#fff3d6;padding:.5rem .75rem}.bad{color:#a3142a}"
    "button{font:inherit;padding:.4rem .9rem;margin:0 .5rem .5rem 0}table{border-spacing:0}"
    "td{padding:.15rem 1.5rem .15rem 0}"
)
_CARDS = (
    ("", "Pay with a card"),
    ("pm_card_chargeDeclined", "Pay with a card that is declined"),
    ("pm_card_authenticationRequired", "Pay with a card that wants its owner"),
)


def page(accounts: Iterable[Account], request: Request) -> Reply | None:
    """Answer a page's request; None if the path is none of a page."""
    _, kind, object_id = [*request.path.split("/", 2), "", ""][:3]
    show = _PAGES.get(kind)
    if show is None:
        return None
    for account in accounts:
        if object_id in account.objects:
            return show(account, request, account.objects[object_id])
    return _written("Nothing here", "<p>The sandbox has forgotten this, or never knew it.</p>", 404)


def _pay(account: Account, request: Request, session: Json) -> Reply:
    """Show what is to be paid, or pay it and send the payer back."""
    if request.method == "POST":
        card = str(decoded(request.body.decode()).get("card", ""))
        try:
            account.pay(session["id"], card)
        except StripeError as error:
            return _checkout(session, error.body["error"]["message"])
        back = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])
        return Reply(status=303, headers=[_HTML, (b"location", back.encode())])
    return _checkout(session, "")


def _checkout(session: Json, refused: str) -> Reply:
    amount = _amount(session["amount_total"], session["currency"])
    if session["status"] != "open":
        return _written(f"{amount}", f"<p>This is {escape(session['payment_status'])}.</p>")
    text = f'<p class="bad">{escape(refused)}</p>' if refused else ""
    text += "".join(_button(card, label) for card, label in _CARDS)
    if session["cancel_url"]:
        text += f'<p><a href="{escape(session["cancel_url"])}">Back without paying</a></p>'
    return _written(f"Pay {amount}", text, 402 if refused else 200)


def _portal(account: Account, request: Request, portal: Json) -> Reply:
    """Show what a customer paid, and let them forget their card."""
    of_one = [kept for kept in account.objects.values() if kept.get("customer")]
    mine = [kept for kept in of_one if kept["customer"] == portal["customer"]]
    charges = [kept for kept in mine if kept["object"] == "charge"]
    if request.method == "POST":
        for card in {charge["payment_method"] for charge in charges}:
            account.detach(card)
    paid = [
        (_amount(charge["amount"], charge["currency"]), _link(charge["receipt_url"], "Receipt"))
        for charge in charges
    ]
    text = _table(paid) if paid else "<p>Nothing was paid yet.</p>"
    text += _button("", "Forget my cards")
    if portal["return_url"]:
        text += f"<p>{_link(portal['return_url'], 'Back')}</p>"
    return _written("Your payments", text)


def _receipt(account: Account, request: Request, about: Json) -> Reply:
    """Show a receipt or an invoice."""
    amount = about["amount"] if "amount" in about else about["total"]
    refunded = about.get("amount_refunded", 0)
    facts = [("Amount", _amount(amount, about["currency"])), ("Number", escape(about["id"]))]
    facts += [("Refunded", _amount(refunded, about["currency"]))] if refunded else []
    return _written("Receipt" if about["object"] == "charge" else "Invoice", _table(facts))


def _button(card: str, label: str) -> str:
    field = f'<input type="hidden" name="card" value="{escape(card)}">'
    return f'<form method="post">{field}<button>{escape(label)}</button></form>'


def _link(url: str, label: str) -> str:
    return f'<a href="{escape(url)}">{escape(label)}</a>'


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def _amount(cents: int, currency: str) -> str:
    return f"{cents // 100}.{cents % 100:02d} {escape(currency.upper())}"


def _written(title: str, text: str, status: int = 200) -> Reply:
    note = '<p class="note">The sandbox, not Stripe: no money moves.</p>'
    document = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1>{note}{text}</html>"
    )
    headers: Headers = [_HTML, (b"cache-control", b"no-store")]
    return Reply(status=status, headers=headers, body=document.encode())


_PAGES: dict[str, Callable[[Account, Request, Json], Reply]] = {
    "pay": _pay,
    "portal": _portal,
    "receipts": _receipt,
    "invoices": _receipt,
}
