"""Tables of accounts."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AppKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("secret", "Secret"),
                            ("publishable", "Publishable"),
                            ("static", "Static"),
                        ],
                        default="secret",
                        max_length=11,
                    ),
                ),
                (
                    "key_id",
                    models.CharField(
                        blank=True, editable=False, max_length=11, null=True, unique=True
                    ),
                ),
                ("mac", models.BinaryField(max_length=32, unique=True)),
                ("pepper_version", models.PositiveIntegerField(editable=False)),
                ("last_four", models.CharField(editable=False, max_length=4)),
                (
                    "app_id",
                    models.CharField(
                        blank=True,
                        help_text="Label in reports.",
                        max_length=200,
                        verbose_name="app",
                    ),
                ),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                (
                    "allowed_models",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=128),
                        blank=True,
                        default=list,
                        help_text="Empty: every model.",
                        size=None,
                    ),
                ),
                (
                    "allowed_origins",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            max_length=255,
                            validators=[
                                django.core.validators.RegexValidator(
                                    "\\Ahttps?://[a-z0-9.-]+(:[0-9]{1,5})?\\Z",
                                    "An origin is scheme, host and port in lower case, such as https://app.example.com.",
                                )
                            ],
                        ),
                        blank=True,
                        default=list,
                        help_text="Web origins that may use it in a browser.",
                        size=None,
                    ),
                ),
                (
                    "spend_cap_ucr",
                    models.BigIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="spend cap (micro-credits)",
                    ),
                ),
                ("spent_ucr", models.BigIntegerField(db_default=0, default=0, editable=False)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "last_used_at",
                    models.DateTimeField(editable=False, help_text="To the minute.", null=True),
                ),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="Issuer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "issuer",
                    models.CharField(
                        max_length=255,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[\\x21-\\x7e]+\\Z", "Printable ASCII without spaces."
                            )
                        ],
                        verbose_name="iss",
                    ),
                ),
                (
                    "kid",
                    models.CharField(
                        blank=True,
                        help_text="Empty: tokens of any kid.",
                        max_length=255,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[\\x21-\\x7e]+\\Z", "Printable ASCII without spaces."
                            )
                        ],
                    ),
                ),
                (
                    "audience",
                    models.CharField(
                        max_length=255,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[\\x21-\\x7e]+\\Z", "Printable ASCII without spaces."
                            )
                        ],
                        verbose_name="aud",
                    ),
                ),
                (
                    "algorithm",
                    models.CharField(
                        choices=[("RS256", "Rs256"), ("ES256", "Es256")], max_length=5
                    ),
                ),
                (
                    "public_key_pem",
                    models.TextField(max_length=8192, verbose_name="public key (PEM)"),
                ),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
            ],
            options={
                "ordering": ["issuer", "kid"],
            },
        ),
        migrations.CreateModel(
            name="Tier",
            fields=[
                ("slug", models.SlugField(max_length=32, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=64)),
                (
                    "markup_bp",
                    models.PositiveIntegerField(
                        help_text="Added to every list price; 100 basis points are 1 %.",
                        validators=[django.core.validators.MaxValueValidator(1000000)],
                        verbose_name="markup (basis points)",
                    ),
                ),
                (
                    "request_limit",
                    models.PositiveIntegerField(
                        help_text="Requests per window and caller.",
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "window_s",
                    models.PositiveIntegerField(
                        help_text="900 is 15 minutes.",
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="window (seconds)",
                    ),
                ),
                (
                    "concurrency_limit",
                    models.PositiveIntegerField(
                        help_text="Requests under way at once, per caller.",
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "default_max_tokens",
                    models.PositiveIntegerField(
                        help_text="Longest answer that is held for when a request names no limit.",
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
            ],
            options={
                "ordering": ["slug"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("concurrency_limit__gte", 1),
                            ("default_max_tokens__gte", 1),
                            ("markup_bp__lte", 1000000),
                            ("request_limit__gte", 1),
                            ("window_s__gte", 1),
                        ),
                        name="tier_numbers_make_sense",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Workspace",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("frozen", "Frozen"), ("closed", "Closed")],
                        db_default="active",
                        default="active",
                        max_length=8,
                    ),
                ),
                (
                    "time_zone",
                    models.CharField(
                        db_default="UTC",
                        default="UTC",
                        help_text="Of its statements and reports.",
                        max_length=64,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "tier",
                    models.ForeignKey(
                        default="free",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="workspaces",
                        to="accounts.tier",
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("family", models.UUIDField(db_index=True)),
                ("token_digest", models.BinaryField(max_length=32, unique=True)),
                ("subject", models.CharField(max_length=255)),
                ("channel", models.CharField(blank=True, max_length=32)),
                ("app_id", models.CharField(blank=True, max_length=200)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                ("sealed_keys", models.BinaryField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("expires_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField(db_index=True)),
                ("rotated_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "app_key",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sessions",
                        to="accounts.appkey",
                    ),
                ),
                (
                    "issuer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sessions",
                        to="accounts.issuer",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sessions",
                        to="accounts.workspace",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="Member",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("admin", "Admin"),
                            ("developer", "Developer"),
                            ("finance", "Finance"),
                            ("viewer", "Viewer"),
                        ],
                        default="viewer",
                        max_length=9,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="members",
                        to="accounts.workspace",
                    ),
                ),
            ],
            options={
                "ordering": ["workspace", "user"],
            },
        ),
        migrations.AddField(
            model_name="issuer",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="issuers",
                to="accounts.workspace",
            ),
        ),
        migrations.AddField(
            model_name="appkey",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="app_keys",
                to="accounts.workspace",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["active", "frozen", "closed"])),
                name="workspace_status_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="workspace_has_a_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__lte", models.F("ends_at"))),
                name="session_ends_in_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("app_key__isnull", True), ("issuer__isnull", True), _connector="OR"
                ),
                name="session_has_one_source",
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.UniqueConstraint(
                fields=("workspace", "user"), name="member_once_per_workspace"
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("role__in", ["owner", "admin", "developer", "finance", "viewer"])
                ),
                name="member_role_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="issuer",
            constraint=models.UniqueConstraint(
                fields=("issuer", "kid"), name="issuer_once_per_kid"
            ),
        ),
        migrations.AddConstraint(
            model_name="issuer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("algorithm__in", ["RS256", "ES256"]),
                    models.Q(("issuer", ""), _negated=True),
                    models.Q(("audience", ""), _negated=True),
                ),
                name="issuer_is_complete",
            ),
        ),
        migrations.AddConstraint(
            model_name="appkey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("key_id__isnull", False), ("kind__in", ["secret", "publishable"])),
                    models.Q(("key_id__isnull", True), ("kind", "static")),
                    _connector="OR",
                ),
                name="appkey_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="appkey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("spent_ucr__gte", 0),
                    models.Q(
                        ("spend_cap_ucr__isnull", True), ("spend_cap_ucr__gte", 1), _connector="OR"
                    ),
                ),
                name="appkey_amounts_make_sense",
            ),
        ),
    ]
