"""The receipt of a call for staff: what its payer sees, and what it cost us."""

from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from billing.errors import ReceiptNotFound
from gateway.receipts import Receipt, read_receipt
from studio.core.money import UCR_PER_CREDIT, credits_text

_PERMISSIONS = ("analytics.view_usage", "billing.view_entry")

Rows = list[tuple[str, object]]


def receipt_page(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Show a receipt to staff who may read usage and entries."""
    if not all(request.user.has_perm(name) for name in _PERMISSIONS):
        raise PermissionDenied
    try:
        receipt = read_receipt(request_id, workspace_id=None)
    except ReceiptNotFound as error:
        raise Http404 from error
    context = {
        **admin.site.each_context(request),
        "title": f"Receipt of {request_id}",
        "facts": _facts(receipt),
        "receipt": receipt,
        "lines": [
            (
                line.meter,
                line.quantity,
                credits_text(line.unit_ucr),
                line.per,
                line.amount_ucr / UCR_PER_CREDIT,
            )
            for line in receipt.lines
        ],
        "entries": [
            (entry.at, entry.kind, credits_text(entry.amount_ucr), entry.owed, entry.ref)
            for entry in receipt.money.entries
        ],
    }
    return TemplateResponse(request, "admin/gateway/receipt.html", context)


def _facts(receipt: Receipt) -> Rows:
    money, cause = receipt.money, receipt.cause
    held = "not known any more" if receipt.held_ucr is None else credits_text(receipt.held_ucr)
    key = f"{cause.key_id or cause.app_key_id} (…{cause.last_four})" if cause.app_key_id else "none"
    markup = (
        ""
        if receipt.markup_bp is None
        else f"{receipt.markup_bp // 100}.{receipt.markup_bp % 100:02d} %"
    )
    return [
        ("Workspace", receipt.workspace_id),
        ("Key", key),
        ("App", cause.app_id),
        ("User", cause.user_ref),
        ("Surface, operation", f"{receipt.surface}, {receipt.operation}"),
        ("Kind, channel", f"{receipt.kind}, {receipt.channel}"),
        ("State", f"{receipt.state} {receipt.reason}".strip()),
        ("Billing", receipt.billing),
        ("Held (credits)", f"{held}, {money.end or 'no hold'}"),
        ("Price version", receipt.price_version),
        ("Markup", markup),
        ("Usage by", receipt.usage.source if receipt.usage else ""),
        ("Charged (credits)", credits_text(money.charged_ucr)),
        ("Refunded (credits)", credits_text(money.refunded_ucr)),
        ("Cost to us (credits)", credits_text(receipt.cost_ucr)),
    ]
