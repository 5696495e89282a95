"""The staff group `finance`, with the permissions that its work needs and no others."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

_GROUP = "finance"
# Django makes permissions after the last migration; a group needs them here.
_PERMISSIONS = {
    "monthclose": {
        "view_monthclose": "Can view month",
        "export_finance": "Can read and download finance's reports",
        "close_month": "Can close months",
        "import_invoice": "Can import providers' invoices",
    },
    "providerinvoice": {"view_providerinvoice": "Can view provider invoice"},
}


def _make(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=_GROUP)
    for model, wanted in _PERMISSIONS.items():
        kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
            app_label="billing", model=model
        )
        for codename, name in wanted.items():
            permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
                content_type=kind, codename=codename, defaults={"name": name}
            )
            group.permissions.add(permission)


class Migration(migrations.Migration):
    """Backwards leaves the group: people may be in it."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("billing", "0040_finance"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(_make, migrations.RunPython.noop)]
