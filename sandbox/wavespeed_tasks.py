"""WaveSpeed's tasks, which live by the clock: created, processing, an end; and what models take.

Source: `wavespeed` Python SDK 2.0.5 (statuses, `code` 5004); wavespeed.ai/models/…/llms.txt of
ideogram-v3-turbo and qwen-image/text-to-image-2512; pixels of a shape are Ideogram's own (its API).
Stricter than it: an unknown input is refused, to show what a client must leave out.
"""

import base64
import hashlib
import re
import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import msgspec

from sandbox.drawing import drawn
from sandbox.faults import Faults
from sandbox.messages import Json
from sandbox.pictures import MEDIA_TYPES

CREATED_MS, RUNNING_MS = 50, 150
SYNC_S = 60.0
_LIFE_S = 7 * 86_400.0
_MOST_KEPT = 10_000
_SIZE = re.compile(r"([1-9]\d{2,3})\*([1-9]\d{2,3})")
_SHAPES = MappingProxyType(
    {
        "1:1": (1024, 1024),
        "16:9": (1312, 736),
        "9:16": (736, 1312),
        "4:3": (1152, 864),
        "3:4": (864, 1152),
    }
)
_COMMON = frozenset({"prompt", "enable_base64_output", "enable_sync_mode"})
_LESSER = MappingProxyType(
    {
        "ideogram-ai/ideogram-v3-turbo": frozenset({"aspect_ratio", "style"}),
        "wavespeed-ai/qwen-image/text-to-image": frozenset({"size", "seed", "output_format"}),
        "wavespeed-ai/flux-dev": frozenset(
            {"size", "seed", "output_format", "num_inference_steps", "guidance_scale"}
        ),
    }
)
_STYLES = ("Auto", "General", "Realistic", "Design")
_FAILURES = MappingProxyType(
    {
        "nsfw": "Content flagged as potentially sensitive. Please try different prompts.",
        "memory": "Internal error while running task %s at https://api.wavespeed.ai/api/v3",
    }
)
_ENDS = ("cancelled", "timeout", "deleted")


class WaveSpeedError(Exception):
    """An answer other than a success; `inside` is one that comes with 200 all the same."""

    def __init__(self, message: str, *, status: int, inside: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.inside = inside
        self.body: Json = {"code": status, "message": message}


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One task. Everything follows from its input and the moment it was begun.

    `api` and `origin` are where it and its file are said to be.
    """

    id: str
    model: str
    account: str
    api: str
    origin: str
    given: Json
    prompt: str
    faults: Faults
    begun_at: float

    @property
    def ended_at(self) -> float:
        """When it ends, in Unix seconds."""
        created_ms = self.faults.starting_ms
        running_ms = self.faults.running_ms
        waiting_ms = CREATED_MS if created_ms is None else created_ms
        return self.begun_at + (waiting_ms + (RUNNING_MS if running_ms is None else running_ms)) / (
            1000
        )

    @property
    def form(self) -> str:
        """The format of its file: a key of `MEDIA_TYPES`."""
        return str(self.given.get("output_format", "jpeg"))

    @property
    def fate(self) -> str:
        """How it ends."""
        if self.faults.fail in _ENDS:
            return self.faults.fail
        return "failed" if self.faults.fail or self.faults.refusal else "completed"

    def status_at(self, now: float) -> str:
        """Tell the status at a moment."""
        if now >= self.ended_at:
            return self.fate
        created_ms = self.faults.starting_ms
        waiting_s = (CREATED_MS if created_ms is None else created_ms) / 1000
        return "created" if now < self.begun_at + waiting_s else "processing"

    def render(self, now: float) -> Json:
        """Show it as it is at a moment."""
        status = self.status_at(now)
        nsfw = [False] if status == "completed" else []
        return {
            "id": self.id,
            "model": self.model,
            "outputs": self._outputs() if status == "completed" else [],
            "urls": {"get": f"{self.api}/api/v3/predictions/{self.id}/result"},
            "has_nsfw_contents": nsfw,
            "status": status,
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.begun_at)),
            "error": self._error(status),
            "executionTime": 0 if now < self.ended_at else 1000 * (self.ended_at - self.begun_at),
            "timings": {"inference": 0},
        }

    def file(self, now: float) -> bytes | None:
        """Draw its picture; None before its end, after its life, or where it failed."""
        life_s = _LIFE_S if self.faults.expire_ms is None else self.faults.expire_ms / 1000
        there = self.fate == "completed" and self.ended_at <= now < self.ended_at + life_s
        words = f"{self.model}|{self.prompt}|{self.given.get('seed')}|{self.given.get('style')}"
        return drawn(words, self._size(), self.form) if there else None

    def _size(self) -> tuple[int, int]:
        found = _SIZE.fullmatch(str(self.given.get("size", "1024*1024")))
        assert found is not None, "inputs are checked"
        shape = self.given.get("aspect_ratio")
        return _SHAPES[shape] if shape else (int(found[1]), int(found[2]))

    def _outputs(self) -> list[str]:
        if self.faults.files == "none":
            return []
        if self.given.get("enable_base64_output") is True:
            data = base64.b64encode(self.file(self.ended_at) or b"").decode()
            return [f"data:{MEDIA_TYPES[self.form]};base64,{data}"]
        return [f"{self.origin}/files/{self.id}/1.{self.form}"]

    def _error(self, status: str) -> str:
        if status not in ("failed", *_ENDS):
            return ""
        word = self.faults.fail or "nsfw"
        return _FAILURES.get(word, "The sandbox was asked to fail.").replace("%s", self.id)


class Tasks:
    """All tasks of all accounts; the oldest are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._kept: dict[str, Task] = {}
        self._clock = clock

    def now(self) -> float:
        """Give the time, in Unix seconds."""
        return self._clock()

    def keep(self, task: Task) -> None:
        """Keep one more."""
        self._kept[task.id] = task
        if len(self._kept) > _MOST_KEPT:
            del self._kept[next(iter(self._kept))]

    def find(self, task_id: str) -> Task | None:
        """Give the task of this id."""
        return self._kept.get(task_id)


def check_input(model: str, given: Json) -> None:
    """Refuse what a model does not take. Raises: WaveSpeedError."""
    known = _LESSER.get(model)
    if known is None:
        raise WaveSpeedError(f"model not found: {model}", status=404)
    unknown = sorted(set(given) - _COMMON - known)
    if unknown:
        raise WaveSpeedError(f"unknown input: {unknown[0]}", status=400)
    prompt = given.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise WaveSpeedError("prompt is required", status=400)
    for name, problem in _PROBLEMS.items():
        if name in given and problem(given[name]):
            raise WaveSpeedError(f"{name} is invalid: {str(given[name])[:80]}", status=400)


def new_id(digest: bytes, number: int, salt: bytes) -> str:
    """Make an id in their form: 32 hexadecimal digits, another one for each request."""
    return hashlib.sha256(digest + number.to_bytes(8) + salt).hexdigest()[:32]


def _odd_size(value: object) -> bool:
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return found is None or not all(256 <= int(side) <= 1536 for side in found.groups())


def _odd_seed(value: object) -> bool:
    return type(value) is not int or not -1 <= value <= 2**31 - 1


_PROBLEMS: MappingProxyType[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "aspect_ratio": lambda value: value not in _SHAPES,
        "style": lambda value: value not in _STYLES,
        "size": _odd_size,
        "seed": _odd_seed,
        "output_format": lambda value: value not in ("jpeg", "png", "webp"),
        "num_inference_steps": lambda value: type(value) is not int or not 1 <= value <= 50,
        "guidance_scale": lambda value: type(value) not in (int, float) or not 0 <= value <= 20,
        "enable_base64_output": lambda value: not isinstance(value, bool),
        "enable_sync_mode": lambda value: not isinstance(value, bool),
    }
)
