"""What providers tell us: that a run ended. Their word only makes us ask; the answer counts.

The address is signed for its run; where we know the secret of the provider's own signature, that is
checked as well (a user's own account signs with a secret of its own). Safe any number of times.
Staff see in the job's timeline what came (inbox.py).
"""

import time
from collections.abc import Mapping
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models.functions import Now

from gateway.jobs.addresses import is_signed
from gateway.jobs.inbox import Effect, Genuine, note_message
from gateway.jobs.ringing import call_workers
from gateway.models import JobRun
from gateway.providers import find_provider
from gateway.providers.media import CallbackProvider, calls_back
from studio.core.errors import NotFound, Unauthenticated

_WAITING = (JobRun.State.SUBMITTING, JobRun.State.UNKNOWN)


class ProviderMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it came; header names are in lower case."""

    provider: str
    run_id: UUID
    signature: str
    headers: Mapping[str, str]
    body: bytes


def take_message(message: ProviderMessage) -> None:
    """Let a worker ask for the run that a message is about, at once.

    If we do not know yet how the provider calls the run (the answer to the submission was lost), we
    learn it here. Raises: NotFound (no address of ours), Unauthenticated (not the provider's).
    """
    provider = find_provider(message.provider)
    if provider is None or not is_signed(message.provider, message.run_id, message.signature):
        raise NotFound("There is nothing at this path.")
    run = JobRun.objects.filter(pk=message.run_id).select_related("job").first()
    if run is None or not calls_back(provider):  # type: ignore[arg-type]  # it may be of any kind
        raise NotFound("There is nothing at this path.")
    genuine = _is_genuine(provider, message, own=run.job.billing == "credits")
    if genuine == "no":
        note_message(run, genuine=genuine, effect="refused")
        raise Unauthenticated("The signature is not the provider's.")
    named = _learn_id(run, provider.upstream_id_of(message.body))
    # A run under a lease is being worked on: its next step comes soon.
    due = JobRun.objects.filter(pk=run.pk, state__in=JobRun.OPEN, lease_until__isnull=True)
    asked = due.exclude(state=JobRun.State.QUEUED).update(next_at=Now(), rung_until=None)
    effect: Effect = "none" if not asked else "named and asked" if named else "asked"
    note_message(run, genuine=genuine, effect=effect)
    if asked:
        call_workers([str(run.pk)])


def _learn_id(run: JobRun, told: str | None) -> bool:
    """Take over how the provider calls a run, where we do not know. Returns: whether we did."""
    if not told or run.upstream_id:
        return False
    unnamed = JobRun.objects.filter(pk=run.pk, upstream_id="", state__in=_WAITING)
    return unnamed.update(upstream_id=told) == 1


def _is_genuine(provider: CallbackProvider, message: ProviderMessage, *, own: bool) -> Genuine:
    secret = settings.PROVIDER_WEBHOOK_SECRETS.get(message.provider, "")
    if not secret or not own:
        return "not checked"
    headers, now_s = message.headers, time.time()
    return "yes" if provider.is_genuine(headers, message.body, secret=secret, now_s=now_s) else "no"
