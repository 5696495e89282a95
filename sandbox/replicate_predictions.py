"""Predictions that live by the clock: starting, processing, an end, and an hour later nothing left.

Source: Replicate's OpenAPI 1.0.0-a1, schemas_prediction_response; replicate.com docs, Prediction
lifecycle and Data retention; changelog 2025-10-16 (what a deadline ends in).
"""

import datetime
import hashlib
import time
from collections.abc import Callable
from types import MappingProxyType

import msgspec

from sandbox.faults import Faults
from sandbox.messages import Json
from sandbox.pictures import picture
from sandbox.replicate_models import is_batch, size_of

STARTING_MS, RUNNING_MS = 50, 150
_LIFE_S = 3600.0
_MOST_KEPT = 20_000
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_FAILURES = MappingProxyType(
    {
        "nsfw": "All generated images contained NSFW content. Try running it again with a "
        "different prompt.",
        "sensitive": "The input or output was flagged as sensitive. Please try again with "
        "different inputs. (E005) (uIJ6l3ruRD)",
        "memory": "CUDA out of memory. Tried to allocate 2.25 GiB (GPU 0; 79.15 GiB total)",
        "interrupted": "Prediction interrupted; please retry (code: PA)",
        "traceback": "Traceback (most recent call last):\n"
        '  File "/src/cog/server/worker.py", '
        "line 354, in _predict\nRuntimeError: No more room at https://replicate.com/p/%s",
    }
)


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """When a prediction begins and ends, in Unix seconds, and in which status."""

    created_at: float
    started_at: float | None
    ended_at: float
    end: str

    def status_at(self, now: float) -> str:
        """Tell the status at a moment."""
        if now >= self.ended_at:
            return self.end
        return "processing" if self.started_at and now >= self.started_at else "starting"


class Prediction(msgspec.Struct, kw_only=True):
    """One prediction. Only a cancel changes it: everything else follows from its timeline."""

    id: str
    model: str
    version: str
    account: str
    origin: str
    given: Json
    completed: Json
    faults: Faults
    timeline: Timeline
    deadline_at: float | None
    expires_at: float
    webhook: str = ""
    events: tuple[str, ...] = ()

    def cancel(self, now: float) -> None:
        """Stop it, unless it has ended."""
        line = self.timeline
        if now < line.ended_at:
            started = line.started_at if line.started_at and line.started_at <= now else None
            self.timeline = msgspec.structs.replace(
                line, started_at=started, ended_at=now, end="canceled"
            )

    def made_count(self) -> int:
        """Count the pictures it makes; blocked ones are left out."""
        return int(self.completed.get("num_outputs", 1)) - self.faults.blocked

    def file(self, name: str, now: float) -> bytes | None:
        """Give one of its files; None if there is none of this name, or none yet, or no more."""
        done = self.timeline.end == "succeeded" and self.timeline.ended_at <= now < self.expires_at
        if not done or name not in self._names():
            return None
        seed = f"{self.completed['prompt']}|{self.seed()}|{self._names().index(name)}"
        form, quality = self.completed["output_format"], self.completed["output_quality"]
        return picture(seed, size_of(self.completed), form, quality)

    def seed(self) -> int:
        """Give the seed that was asked for, else one that follows from the prompt."""
        given = self.completed.get("seed")
        if given is not None:
            return int(given)
        return int.from_bytes(hashlib.sha256(self.completed["prompt"].encode()).digest()[:2])

    def render(self, now: float) -> Json:
        """Show it as it is at a moment."""
        line, removed = self.timeline, now >= self.expires_at
        status = line.status_at(now)
        address = f"{self.origin}/replicate/v1/predictions/{self.id}"
        shown: Json = {
            "id": self.id,
            "model": self.model,
            "version": self.version,
            "input": {} if removed else self.given,
            "logs": "" if removed else self._logs(now),
            "output": self.output() if status == "succeeded" and not removed else None,
            "data_removed": removed,
            "error": self.error() if status == "failed" else None,
            "source": "api",
            "status": status,
            "created_at": _stamp(line.created_at),
            "urls": {
                "cancel": f"{address}/cancel",
                "get": address,
                "web": f"https://replicate.com/p/{self.id}",
            },
        }
        return shown | self._moments(now)

    def output(self) -> object:
        """Give the addresses of its files: a list, or one address of a model that makes one."""
        found = [f"{self.origin}/replicate/files/{self.id}/{name}" for name in self._names()]
        return found if is_batch(self.model) else found[0]

    def error(self) -> str:
        """Give the model's own words for its failure."""
        word = self.faults.fail or "nsfw"
        text = _FAILURES.get(word, "The sandbox was asked to fail.")
        return text % self.id if "%s" in text else text

    def _names(self) -> list[str]:
        form = self.completed["output_format"]
        return [f"out-{index}.{form}" for index in range(self.made_count())]

    def _moments(self, now: float) -> Json:
        """Give the times that are there only once they have come."""
        line = self.timeline
        shown: Json = {}
        if self.deadline_at is not None:
            shown["deadline"] = _stamp(self.deadline_at)
        if line.started_at and now >= line.started_at:
            shown["started_at"] = _stamp(line.started_at)
        if now >= line.ended_at:
            shown["completed_at"] = _stamp(line.ended_at)
            shown["metrics"] = self._metrics()
        return shown

    def _metrics(self) -> Json:
        line = self.timeline
        metrics: Json = {"total_time": round(line.ended_at - line.created_at, 6)}
        if line.started_at:
            metrics["predict_time"] = round(line.ended_at - line.started_at, 6)
        if line.end == "succeeded":
            metrics["image_count"] = self.made_count()
        return metrics

    def _logs(self, now: float) -> str:
        """Write what the model prints: its seed, and a bar that grows with its steps."""
        line = self.timeline
        if not line.started_at or now < line.started_at:
            return ""
        steps: int = self.completed.get("num_inference_steps") or self.completed.get("steps") or 4
        share = min((now - line.started_at) / max(line.ended_at - line.started_at, 0.001), 1.0)
        done = int(share * steps)
        bar = "█" * (10 * done // steps)
        return (
            f"Using seed: {self.seed()}\n{100 * done // steps:3d}%|{bar:<10}| {done}/{steps} "
            "[00:00<00:00,  7.91it/s]"
        )


def planned(faults: Faults, *, count: int, now: float, deadline_at: float | None) -> Timeline:
    """Plan a prediction's life; `count` is how many pictures it is to make."""
    starting_ms = STARTING_MS if faults.starting_ms is None else faults.starting_ms
    running_ms = RUNNING_MS if faults.running_ms is None else faults.running_ms
    started_at: float | None = now + starting_ms / 1000
    ended_at = now + (starting_ms + running_ms) / 1000
    end = "failed" if faults.fail or faults.refusal or faults.blocked >= count else "succeeded"
    if faults.fail in ("aborted", "canceled"):
        end = faults.fail
    if deadline_at is not None and deadline_at < ended_at:
        ended_at = deadline_at
        end = "aborted" if started_at and deadline_at <= started_at else "canceled"
    if end == "aborted":
        started_at = None
    return Timeline(created_at=now, started_at=started_at, ended_at=ended_at, end=end)


class Predictions:
    """All predictions of all accounts; the oldest are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._kept: dict[str, Prediction] = {}
        self._clock = clock

    def now(self) -> float:
        """Give the time, in Unix seconds."""
        return self._clock()

    def keep(self, prediction: Prediction) -> None:
        """Keep one more."""
        self._kept[prediction.id] = prediction
        if len(self._kept) > _MOST_KEPT:
            del self._kept[next(iter(self._kept))]

    def find(self, prediction_id: str) -> Prediction | None:
        """Give the prediction of this id."""
        return self._kept.get(prediction_id)

    def newest(self, account: str) -> list[Prediction]:
        """List an account's predictions, the newest first."""
        return [one for one in reversed(self._kept.values()) if one.account == account]


def life_s(faults: Faults) -> float:
    """Tell for how long files stay."""
    return _LIFE_S if faults.expire_ms is None else faults.expire_ms / 1000


def new_id(digest: bytes, number: int, salt: bytes) -> str:
    """Make an id in their form: 26 letters and digits, another one for each request."""
    unique = hashlib.sha256(digest + number.to_bytes(8) + salt).digest()
    return "".join(_ALPHABET[byte & 31] for byte in unique[:26])


def _stamp(at: float) -> str:
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
