"""Tables of who is calling, written by services.py and, plain settings, by staff in the admin."""

import zoneinfo

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from studio.accounts.jwts import is_app_id, public_key_fault
from studio.accounts.scopes import ALL_SCOPES, CLIENT_SCOPES

DEFAULT_TIER = "free"
_MOST_MARKUP_BP = 1_000_000
_LONGEST_URL_LIFE_S = 30 * 86_400

_ORIGIN = RegexValidator(
    r"\Ahttps?://[a-z0-9.-]+(:[0-9]{1,5})?\Z",
    "An origin is scheme, host and port in lower case, such as https://app.example.com.",
)
_PRINTABLE = RegexValidator(r"\A[\x21-\x7e]+\Z", "Printable ASCII without spaces.")


class Tier(models.Model):
    """A plan: what we add to prices, and how much a caller may ask for. Staff edit it."""

    slug = models.SlugField(primary_key=True, max_length=32)
    name = models.CharField(max_length=64)
    markup_bp = models.PositiveIntegerField(
        "markup (basis points)",
        validators=[MaxValueValidator(_MOST_MARKUP_BP)],
        help_text="Added to every list price; 100 basis points are 1 %.",
    )
    request_limit = models.PositiveIntegerField(
        validators=[MinValueValidator(1)], help_text="Requests per window and caller."
    )
    window_s = models.PositiveIntegerField(
        "window (seconds)", validators=[MinValueValidator(1)], help_text="900 is 15 minutes."
    )
    concurrency_limit = models.PositiveIntegerField(
        validators=[MinValueValidator(1)], help_text="Requests under way at once, per caller."
    )
    default_max_tokens = models.PositiveIntegerField(
        validators=[MinValueValidator(1)],
        help_text="Longest answer that is held for when a request names no limit.",
    )
    asset_url_life_s = models.PositiveIntegerField(
        "life of a file's address (seconds)",
        default=86_400,
        db_default=86_400,
        validators=[MinValueValidator(60), MaxValueValidator(_LONGEST_URL_LIFE_S)],
        help_text="How long the address of a generated file works; 86400 is a day.",
    )

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                name="tier_numbers_make_sense",
                condition=Q(
                    markup_bp__lte=_MOST_MARKUP_BP,
                    request_limit__gte=1,
                    window_s__gte=1,
                    concurrency_limit__gte=1,
                    default_max_tokens__gte=1,
                    asset_url_life_s__gte=60,
                    asset_url_life_s__lte=_LONGEST_URL_LIFE_S,
                ),
            )
        ]

    def __str__(self) -> str:
        return self.name


class Workspace(models.Model):
    """Who pays. Its wallet is made by a database trigger of billing and has the same id."""

    class Status(models.TextChoices):
        """A frozen workspace is known and may not spend; a closed one is refused."""

        ACTIVE = "active"
        FROZEN = "frozen"
        CLOSED = "closed"

    name = models.CharField(max_length=100, unique=True)
    tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, default=DEFAULT_TIER, related_name="workspaces"
    )
    status = models.CharField(
        max_length=8, choices=Status, default=Status.ACTIVE, db_default=Status.ACTIVE
    )
    time_zone = models.CharField(
        max_length=64, default="UTC", db_default="UTC", help_text="Of its statements and reports."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="workspace_status_is_known",
                condition=Q(status__in=["active", "frozen", "closed"]),
            ),
            models.CheckConstraint(name="workspace_has_a_name", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse unprintable names and unknown time zones."""
        if self.name != self.name.strip() or not self.name.isprintable():
            raise ValidationError({"name": "A name is printable and has no spaces around it."})
        if self.time_zone not in zoneinfo.available_timezones():
            raise ValidationError({"time_zone": "No such time zone; try Europe/Zurich or UTC."})


class Member(models.Model):
    """A person of a workspace."""

    class Role(models.TextChoices):
        """From all to nothing but reading."""

        OWNER = "owner"
        ADMIN = "admin"
        DEVELOPER = "developer"
        FINANCE = "finance"
        VIEWER = "viewer"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=9, choices=Role, default=Role.VIEWER)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["workspace", "user"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="member_once_per_workspace"),
            models.CheckConstraint(
                name="member_role_is_known",
                condition=Q(role__in=["owner", "admin", "developer", "finance", "viewer"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}"


class AppKey(models.Model):
    """An app's key, known by its MAC. `spent_ucr` is kept by settle statements, for capped keys."""

    class Kind(models.TextChoices):
        """Secret ones are for servers, publishable ones for apps; static is the setting APP_KEY."""

        SECRET = "secret"  # noqa: S105 - a word, not a secret
        PUBLISHABLE = "publishable"
        STATIC = "static"

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="app_keys")
    kind = models.CharField(max_length=11, choices=Kind, default=Kind.SECRET)
    key_id = models.CharField(max_length=11, unique=True, null=True, blank=True, editable=False)
    mac = models.BinaryField(max_length=32, unique=True, editable=False)
    pepper_version = models.PositiveIntegerField(editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    app_id = models.CharField("app", max_length=200, blank=True, help_text="Label in reports.")
    scopes = ArrayField(models.CharField(max_length=32), default=list, blank=True)
    allowed_models = ArrayField(
        models.CharField(max_length=128), default=list, blank=True, help_text="Empty: every model."
    )
    allowed_origins = ArrayField(
        models.CharField(max_length=255, validators=[_ORIGIN]),
        default=list,
        blank=True,
        help_text="Web origins that may use it in a browser.",
    )
    spend_cap_ucr = models.BigIntegerField(
        "spend cap (micro-credits)", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    spent_ucr = models.BigIntegerField(default=0, db_default=0, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="To the minute.")
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                name="appkey_kind_is_known",
                condition=Q(kind__in=["secret", "publishable"], key_id__isnull=False)
                | Q(kind="static", key_id__isnull=True),
            ),
            models.CheckConstraint(
                name="appkey_amounts_make_sense",
                condition=Q(spent_ucr__gte=0)
                & (Q(spend_cap_ucr__isnull=True) | Q(spend_cap_ucr__gte=1)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.app_id or self.kind} …{self.last_four}"

    @property
    def is_publishable(self) -> bool:
        """Whether it may do nothing but open sessions."""
        return self.kind == self.Kind.PUBLISHABLE

    def clean(self) -> None:
        """Refuse scopes that this kind of key cannot have, and unprintable labels."""
        allowed = CLIENT_SCOPES if self.is_publishable else ALL_SCOPES
        unknown = [scope for scope in self.scopes if scope not in allowed]
        if unknown:
            known = f"No such scope here: {', '.join(unknown)}. One of: {', '.join(allowed)}."
            raise ValidationError({"scopes": known})
        if self.app_id and not is_app_id(self.app_id):
            raise ValidationError({"app_id": "An app label has 1 to 200 printable characters."})


class Issuer(models.Model):
    """Somebody whose JWTs a workspace trusts: one row per key, with its one algorithm."""

    class Algorithm(models.TextChoices):
        """Signatures by public key only; HS256 is for APP_JWT_SECRET."""

        RS256 = "RS256"
        ES256 = "ES256"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="issuers")
    issuer = models.CharField("iss", max_length=255, validators=[_PRINTABLE])
    kid = models.CharField(
        max_length=255, blank=True, validators=[_PRINTABLE], help_text="Empty: tokens of any kid."
    )
    audience = models.CharField("aud", max_length=255, validators=[_PRINTABLE])
    algorithm = models.CharField(max_length=5, choices=Algorithm)
    public_key_pem = models.TextField("public key (PEM)", max_length=8192)
    is_active = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["issuer", "kid"]
        constraints = [
            models.UniqueConstraint(fields=["issuer", "kid"], name="issuer_once_per_kid"),
            models.CheckConstraint(
                name="issuer_is_complete",
                condition=Q(algorithm__in=["RS256", "ES256"]) & ~Q(issuer="") & ~Q(audience=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.issuer} {self.kid}".strip()

    def clean(self) -> None:
        """Refuse a key that cannot verify this algorithm, private keys among them."""
        fault = public_key_fault(self.algorithm, self.public_key_pem)
        if fault:
            raise ValidationError({"public_key_pem": fault})


class Session(models.Model):
    """One session token, known by its SHA-256. A refresh makes a new row of the same family.

    `expires_at` moves with refreshes only, up to `ends_at`. `sealed_keys` holds a user's provider
    keys, sealed with the family's id as context so that they move along with a refresh and nowhere
    else.
    """

    family = models.UUIDField(db_index=True)
    token_digest = models.BinaryField(max_length=32, unique=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="sessions")
    app_key = models.ForeignKey(
        AppKey, on_delete=models.CASCADE, null=True, blank=True, related_name="sessions"
    )
    issuer = models.ForeignKey(
        Issuer, on_delete=models.CASCADE, null=True, blank=True, related_name="sessions"
    )
    subject = models.CharField(max_length=255)
    channel = models.CharField(max_length=32, blank=True)
    app_id = models.CharField(max_length=200, blank=True)
    scopes = ArrayField(models.CharField(max_length=32), default=list, blank=True)
    sealed_keys = models.BinaryField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    ends_at = models.DateTimeField(db_index=True)
    rotated_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                name="session_ends_in_time", condition=Q(expires_at__lte=F("ends_at"))
            ),
            models.CheckConstraint(
                name="session_has_one_source",
                condition=Q(app_key__isnull=True) | Q(issuer__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"session {self.pk} of {self.subject}"
