"""Webhooks out for staff: customers' endpoints, and what was sent there. No secret is shown."""

from typing import Any

import msgspec
from django.contrib import admin
from django.contrib.admin.utils import display_for_value
from django.contrib.auth.models import User
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.admin.form_pages import Facts, FormPage, FormPagesAdmin, SureForm
from billing.models import OutboxMessage
from gateway.models import WebhookDelivery, WebhookEndpoint
from gateway.webhooks import endpoints
from gateway.webhooks.endpoints import EndpointWish
from studio.accounts.amounts import NONE, id_cell

_CHANGE = "gateway.change_webhookendpoint"
_REPLAY = "gateway.change_webhookdelivery"


def _switch_off(staff: User, endpoint: WebhookEndpoint, given: dict[str, Any]) -> str:
    wish = EndpointWish(enabled=False)
    endpoints.change_endpoint(endpoint.pk, workspace_id=None, wish=wish)
    return "Switched off: nothing is sent there, and what waited is not sent"


def _switch_on(staff: User, endpoint: WebhookEndpoint, given: dict[str, Any]) -> str:
    endpoints.change_endpoint(endpoint.pk, workspace_id=None, wish=EndpointWish(enabled=True))
    return "Switched on"


def _test(staff: User, endpoint: WebhookEndpoint, given: dict[str, Any]) -> str:
    sent = endpoints.send_test(endpoint.pk, workspace_id=None)
    return f"A test leaves within seconds: delivery {sent.pk}"


def _replay(staff: User, delivery: WebhookDelivery, given: dict[str, Any]) -> str:
    endpoints.replay_for_staff(delivery)
    return "Sent again, under the same id, within seconds"


def _of_endpoint(endpoint: WebhookEndpoint) -> Facts:
    return [
        ("Workspace", endpoint.workspace),
        ("URL", endpoint.url),
        ("Switched off", endpoint.get_off_display()),
    ]


def _of_delivery(delivery: WebhookDelivery) -> Facts:
    return [
        ("Workspace", delivery.workspace),
        ("To", delivery.target),
        ("Event", delivery.event),
        ("State", delivery.get_state_display()),
        ("Last error", delivery.last_error or NONE),
    ]


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(FormPagesAdmin):
    """Where customers want to be told."""

    list_display = ("workspace", "url", "wants", "off", "off_at", "arrived_at", "created_at")
    list_filter = ("off",)
    list_select_related = ("workspace",)
    ordering = ("-pk",)
    workspace_field = "workspace_id"
    uuid_field = "id"
    text_fields = ("url",)
    search_help_text = "Workspace id, whole workspace name, id of an endpoint, or whole URL"
    exclude = ("sealed_secret", "sealed_old_secret", "counted_from", "events")
    readonly_fields = ("wants", "arrived_at", "sent", *FormPagesAdmin.readonly_fields)
    form_pages = (
        FormPage(
            name="test",
            label="Send a test",
            permission=_CHANGE,
            form=SureForm,
            act=_test,
            facts=_of_endpoint,
        ),
        FormPage(
            name="off",
            label="Switch off",
            permission=_CHANGE,
            form=SureForm,
            act=_switch_off,
            offered=lambda endpoint: endpoint.is_on,
            facts=_of_endpoint,
        ),
        FormPage(
            name="on",
            label="Switch on",
            permission=_CHANGE,
            form=SureForm,
            act=_switch_on,
            offered=lambda endpoint: not endpoint.is_on,
            facts=_of_endpoint,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        """Read along when something arrived last."""
        arrived = OutboxMessage.objects.filter(
            source_id=OuterRef("pk"), state=OutboxMessage.State.DELIVERED
        ).order_by("-delivered_at")
        found: QuerySet[WebhookEndpoint] = super().get_queryset(request)
        return found.annotate(last_arrived=Subquery(arrived.values("delivered_at")[:1]))

    @admin.display(description="events")
    def wants(self, endpoint: WebhookEndpoint) -> str:
        """Show what it is told."""
        every = len(endpoint.events) == len(WebhookEndpoint.EVENTS)
        return "every end of a job" if every else ", ".join(endpoint.events)

    @admin.display(description="took something last", ordering="last_arrived")
    def arrived_at(self, endpoint: WebhookEndpoint) -> str:
        """Show when something arrived there last, of the last 30 days."""
        return display_for_value(getattr(endpoint, "last_arrived", None), NONE)

    @admin.display(description="deliveries")
    def sent(self, endpoint: WebhookEndpoint) -> SafeString:
        """Link to what was sent there."""
        address = reverse("admin:gateway_webhookdelivery_changelist")
        return format_html('<a href="{}?source_id={}">All deliveries</a>', address, endpoint.pk)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(FormPagesAdmin):
    """Webhooks that left, wait, or were given up: to endpoints, and to addresses for alerts."""

    list_display = (
        "created_at",
        "workspace",
        "event",
        "target",
        "state",
        "attempts",
        "waits_until",
        "last_error",
    )
    list_filter = ("state",)
    list_select_related = ("workspace",)
    ordering = ("-created_at",)
    workspace_field = "workspace_id"
    uuid_field = "id"
    search_help_text = "Workspace id, whole workspace name, or id of a delivery"
    fields = (
        "id",
        "workspace",
        "endpoint",
        "target",
        "event",
        "state",
        "attempts",
        "waits_until",
        "give_up_at",
        "delivered_at",
        "last_error",
        "created_at",
        "sent_body",
        "offers",
    )
    readonly_fields = ("endpoint", "waits_until", "sent_body", *FormPagesAdmin.readonly_fields)
    form_pages = (
        FormPage(
            name="replay",
            label="Send again",
            permission=_REPLAY,
            form=SureForm,
            act=_replay,
            offered=lambda delivery: delivery.state != OutboxMessage.State.PENDING,
            facts=_of_delivery,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        """Leave out e-mails: billing's list of messages has them."""
        found: QuerySet[WebhookDelivery] = super().get_queryset(request)
        return found.filter(channel=OutboxMessage.Channel.WEBHOOK)

    @admin.display(description="next attempt", ordering="next_at")
    def waits_until(self, delivery: WebhookDelivery) -> str:
        """Show when it is tried again; nothing once it is decided."""
        waits = delivery.state == OutboxMessage.State.PENDING
        return display_for_value(delivery.next_at if waits else None, NONE)

    @admin.display(description="endpoint")
    def endpoint(self, delivery: WebhookDelivery) -> SafeString:
        """Link to the endpoint it is for; alerts have none."""
        if delivery.source_id is None:
            return NONE
        address = reverse("admin:gateway_webhookendpoint_change", args=[delivery.source_id])
        return format_html('<a href="{}">{}</a>', address, id_cell(str(delivery.source_id)))

    @admin.display(description="body")
    def sent_body(self, delivery: WebhookDelivery) -> SafeString:
        """Show what is sent, laid out to be read."""
        return format_html("<pre>{}</pre>", msgspec.json.format(delivery.body, indent=2))
