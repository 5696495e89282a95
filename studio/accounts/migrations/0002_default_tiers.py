"""The four plans. Staff may edit them afterwards: rows that are there stay as they are."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

TIERS = [
    {
        "slug": "free",
        "name": "Free",
        "markup_bp": 5000,
        "request_limit": 100,
        "concurrency_limit": 20,
        "default_max_tokens": 4096,
    },
    {
        "slug": "managed",
        "name": "Managed",
        "markup_bp": 2000,
        "request_limit": 600,
        "concurrency_limit": 60,
        "default_max_tokens": 8192,
    },
    {
        "slug": "byok",
        "name": "Bring your own key",
        "markup_bp": 0,
        "request_limit": 600,
        "concurrency_limit": 60,
        "default_max_tokens": 8192,
    },
    {
        "slug": "vip_founder",
        "name": "VIP founder",
        "markup_bp": 0,
        "request_limit": 1200,
        "concurrency_limit": 120,
        "default_max_tokens": 16384,
    },
]


def add_tiers(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Add the tiers that are missing; the window is 15 minutes everywhere."""
    tier_model = apps.get_model("accounts", "Tier")
    for tier in TIERS:
        tier_model.objects.get_or_create(slug=tier["slug"], defaults={**tier, "window_s": 900})


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(add_tiers, migrations.RunPython.noop)]
