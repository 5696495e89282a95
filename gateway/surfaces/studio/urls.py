"""Paths of the studio surface behind the Django door.

They ignore cookies and take credentials from headers only, so there is nothing to forge.
"""

from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from gateway.surfaces.studio import analytics, credits, payments, views, webhooks

urlpatterns = [
    path("health", views.health),
    path("health/ready", views.ready),
    path("v1/models", csrf_exempt(views.models)),
    path("v1/models/<path:name>", csrf_exempt(views.model)),
    path("v1/credits", csrf_exempt(credits.credits)),
    path("v1/credits/ledger", csrf_exempt(credits.ledger)),
    path("v1/credits/receipts/<str:request_id>", csrf_exempt(credits.receipt)),
    path("v1/credits/alerts", csrf_exempt(credits.alerts)),
    path("v1/credits/budgets", csrf_exempt(credits.budgets)),
    path("v1/credits/checkout", csrf_exempt(payments.open_checkout)),
    path("v1/credits/portal", csrf_exempt(payments.open_portal)),
    path("v1/credits/auto-recharge", csrf_exempt(payments.auto_recharge)),
    path("v1/webhooks", csrf_exempt(webhooks.webhooks)),
    path("v1/webhooks/<uuid:webhook_id>", csrf_exempt(webhooks.webhook)),
    path("v1/webhooks/<uuid:webhook_id>/test", csrf_exempt(webhooks.test)),
    path("v1/webhooks/<uuid:webhook_id>/rotate", csrf_exempt(webhooks.rotate)),
    path("v1/webhooks/<uuid:webhook_id>/deliveries", csrf_exempt(webhooks.deliveries)),
    path("v1/webhooks/deliveries/<uuid:delivery_id>/replay", csrf_exempt(webhooks.replay)),
    path("v1/analytics/usage", csrf_exempt(analytics.usage)),
    path("v1/stripe/webhook", csrf_exempt(payments.stripe_webhook)),
]
