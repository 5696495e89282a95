"""The catalogue: models, kinds, aliases, their history, and a number that moves with each."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

_TRIGGERS = """
INSERT INTO gateway_cataloguerevision (revision) VALUES (1);

CREATE FUNCTION gateway_raise_catalogue_revision() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE gateway_cataloguerevision SET revision = revision + 1;
  RETURN NULL;
END $$;

CREATE TRIGGER raise_revision AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gateway_cataloguemodel
  FOR EACH STATEMENT EXECUTE FUNCTION gateway_raise_catalogue_revision();
CREATE TRIGGER raise_revision AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gateway_kindroute
  FOR EACH STATEMENT EXECUTE FUNCTION gateway_raise_catalogue_revision();
CREATE TRIGGER raise_revision AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gateway_alias
  FOR EACH STATEMENT EXECUTE FUNCTION gateway_raise_catalogue_revision();

CREATE FUNCTION gateway_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON gateway_cataloguechange
  FOR EACH STATEMENT EXECUTE FUNCTION gateway_refuse_change();
"""
_NO_TRIGGERS = """
DROP TRIGGER append_only ON gateway_cataloguechange;
DROP FUNCTION gateway_refuse_change();
DROP TRIGGER raise_revision ON gateway_alias;
DROP TRIGGER raise_revision ON gateway_kindroute;
DROP TRIGGER raise_revision ON gateway_cataloguemodel;
DROP FUNCTION gateway_raise_catalogue_revision();
DELETE FROM gateway_cataloguerevision;
"""


def _id() -> tuple[str, models.BigAutoField]:  # type: ignore[type-arg]
    return (
        "id",
        models.BigAutoField(
            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
        ),
    )


def _of_every_row() -> list[tuple[str, models.BooleanField]]:  # type: ignore[type-arg]
    return [
        ("enabled", models.BooleanField(default=True)),
        ("edited_by_staff", models.BooleanField(default=False, editable=False)),
    ]


class Migration(migrations.Migration):
    """Five tables and their triggers."""

    initial = True
    # read_revision() counts the versions of the price book.
    dependencies = [("billing", "0005_prices")]

    operations = [
        migrations.CreateModel(
            name="CatalogueModel",
            fields=[
                _id(),
                *_of_every_row(),
                ("provider", models.TextField()),
                ("name", models.TextField(help_text="The provider's own id of the model.")),
                (
                    "operation",
                    models.TextField(help_text="chat, image, speech, music, realtime …"),
                ),
                ("context_tokens", models.IntegerField(default=0)),
                ("max_output_tokens", models.IntegerField(default=0)),
                (
                    "image_tokens",
                    models.IntegerField(
                        default=0, help_text="The most input tokens that one image may count."
                    ),
                ),
                ("capabilities", models.JSONField(blank=True, default=list)),
                (
                    "drop_parameters",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="Request fields that are not passed on to this model.",
                    ),
                ),
                (
                    "sunset_on",
                    models.DateField(
                        blank=True,
                        help_text="From this day (UTC) the successor answers.",
                        null=True,
                    ),
                ),
                ("source", models.TextField(blank=True)),
                ("added_at", models.DateTimeField(auto_now_add=True)),
                (
                    "successor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="predecessors",
                        to="gateway.cataloguemodel",
                    ),
                ),
            ],
            options={
                "verbose_name": "model",
                "constraints": [
                    models.UniqueConstraint(fields=("provider", "name"), name="model_once"),
                    models.CheckConstraint(
                        condition=Q(sunset_on=None, successor=None)
                        | Q(sunset_on__isnull=False, successor__isnull=False),
                        name="model_sunset_has_successor",
                    ),
                    models.CheckConstraint(
                        condition=~Q(operation="chat")
                        | Q(context_tokens__gt=0, max_output_tokens__gt=0),
                        name="model_chat_has_limits",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="KindRoute",
            fields=[
                _id(),
                *_of_every_row(),
                (
                    "channel",
                    models.TextField(
                        choices=[
                            ("stable", "Stable"),
                            ("experimental", "Experimental"),
                            ("fast", "Fast"),
                            ("quality", "Quality"),
                        ]
                    ),
                ),
                ("kind", models.TextField()),
                ("position", models.SmallIntegerField(default=0)),
                ("weight", models.SmallIntegerField(default=1)),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="routes",
                        to="gateway.cataloguemodel",
                    ),
                ),
            ],
            options={
                "verbose_name": "kind",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("channel", "kind", "position"), name="kind_position_once"
                    ),
                    models.CheckConstraint(
                        condition=Q(channel__in=["stable", "experimental", "fast", "quality"]),
                        name="kind_channel_known",
                    ),
                    models.CheckConstraint(condition=Q(weight__gt=0), name="kind_weight_positive"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Alias",
            fields=[
                _id(),
                *_of_every_row(),
                ("name", models.TextField(unique=True)),
                ("target", models.TextField()),
            ],
            options={"verbose_name_plural": "aliases"},
        ),
        migrations.CreateModel(
            name="CatalogueChange",
            fields=[
                _id(),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("actor", models.TextField()),
                ("table", models.TextField()),
                ("row", models.TextField()),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["table", "row", "-at"], name="change_by_row")],
            },
        ),
        migrations.CreateModel(
            name="CatalogueRevision",
            fields=[_id(), ("revision", models.BigIntegerField(default=1))],
        ),
        migrations.RunSQL(_TRIGGERS, _NO_TRIGGERS),
    ]
