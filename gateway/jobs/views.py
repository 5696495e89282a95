"""A job as surfaces and staff see it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from studio.core.errors import GatewayError

COLUMNS = (
    *("id", "workspace_id", "app_key_id", "app_id", "user_ref", "surface", "operation", "kind"),
    *("channel", "model", "billing", "sandbox", "state", "version", "progress", "item_count"),
    *("made_count", "parameters", "hold_ucr", "charge_ucr", "result", "failure_code"),
    *("failure_text", "failure_status", "cancel_requested_at", "deadline_at", "created_at"),
    *("started_at", "finished_at"),
)
SELECT = ", ".join(COLUMNS)
_FINAL = frozenset({"succeeded", "failed", "canceled", "expired"})


class JobFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file a job made. `asset_id` is what its address is signed for; sizes are pixels, bytes.

    `media_ms` is the length of sound, 0 for pictures; `seed` and `revised_prompt` are what the
    provider told.
    """

    asset_id: UUID
    media_type: str
    size_bytes: int
    width: int = 0
    height: int = 0
    media_ms: int = 0
    revised_prompt: str = ""
    seed: int | None = None


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """One job as of now. `version` grows with every change of what is here; amounts are µcr.

    `charge_ucr` is 0 until the end. `failure_…` are empty unless it failed; `failure_status` is the
    HTTP status that such an error has.
    """

    id: UUID
    workspace_id: int
    app_key_id: int | None
    app_id: str
    user_ref: str
    surface: str
    operation: str
    kind: str
    channel: str
    model: str
    billing: str
    sandbox: bool
    state: str
    version: int
    progress: float
    item_count: int
    made_count: int
    parameters: dict[str, Any]
    hold_ucr: int
    charge_ucr: int
    files: tuple[JobFile, ...]
    failure_code: str
    failure_text: str
    failure_status: int
    cancel_requested_at: datetime | None
    deadline_at: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_final(self) -> bool:
        """Whether nothing about it changes any more."""
        return self.state in _FINAL

    def failure(self) -> GatewayError | None:
        """Give why it made nothing, as an error to raise; None unless it failed or expired."""
        if self.state not in ("failed", "expired"):
            return None
        error = GatewayError(self.failure_text or "The job failed.")
        error.code = self.failure_code or "internal_error"
        error.status = self.failure_status or 500
        return error


def view_of(row: Sequence[Any]) -> JobView:
    """Read a row of `COLUMNS`."""
    fields = dict(zip(COLUMNS, row, strict=True))
    fields["files"] = msgspec.convert(fields.pop("result"), tuple[JobFile, ...])
    return JobView(**fields)
