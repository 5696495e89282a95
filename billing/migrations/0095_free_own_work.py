"""What this program does by itself may be free; whatever a provider does is not."""

from django.db import migrations, models
from django.db.models import Q

_BACKWARDS = """
ALTER TABLE billing_price DISABLE TRIGGER USER;
DELETE FROM billing_price WHERE list_ucr = 0;
ALTER TABLE billing_price ENABLE TRIGGER USER;
"""


class Migration(migrations.Migration):
    """Backwards drops the prices of what is free: the older rule knows none."""

    dependencies = [("billing", "0090_outbox_sources")]

    operations = [
        migrations.RemoveConstraint(model_name="price", name="price_never_free"),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=Q(list_ucr__gt=0) | Q(operation="image_fit", list_ucr=0, cost_ucr=0),
                name="price_never_free",
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, _BACKWARDS),
    ]
