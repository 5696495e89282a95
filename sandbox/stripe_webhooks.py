"""The double's webhooks: signed, sent by threads of their own, spoiled as it was asked for.

Source: `stripe` 16.1.0 for Python, `_webhook.py`: HMAC-SHA256 over `time.body` with the secret as
text. What is not answered by 2xx is sent again, there for three days at most (at second hand).
"""

import hashlib
import hmac
import http.client
import random
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlsplit

import msgspec

from sandbox.messages import Json

_TIMEOUT_S = 20
_TRIES = 3
_BETWEEN_TRIES_S = 0.1


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where events go, and how they are spoiled on their way; README.md explains each word."""

    url: str = ""
    secret: str = ""
    hold: bool = False
    lose: list[str] = []
    repeat: int = 1
    shuffle: int | None = None
    delay_ms: int = 0
    forge: bool = False
    age_s: int = 0


class Webhooks:
    """What is to be sent, what is being sent, and what became of it."""

    def __init__(self) -> None:
        self.plan = Plan()
        self.sent: list[Json] = []
        self._held: list[Json] = []
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="webhooks")
        self._running: list[Future[None]] = []

    def tell(self, event: Json) -> None:
        """Send an event, or keep it until `flush`."""
        if not self.plan.url:
            return
        self._held.append(event)
        if not self.plan.hold:
            self.flush()

    def flush(self) -> int:
        """Send what is kept, as the plan says. Returns: how many deliveries."""
        plan, held = self.plan, self._held
        self._held = []
        wanted = [event for event in held if event["type"] not in plan.lose] * plan.repeat
        if plan.shuffle is not None:
            random.Random(plan.shuffle).shuffle(wanted)  # noqa: S311  an order, no secret
        self._running += [self._threads.submit(self._send, plan, event) for event in wanted]
        return len(wanted)

    def settled(self) -> Iterator[bytes]:
        """Give a line of a stream for each look, the last one when nothing is under way."""
        while any(not sending.done() for sending in self._running):
            yield b": under way"
        for sending in self._running:
            sending.result()
        self._running.clear()
        yield b"data: " + msgspec.json.encode({"sent": self.sent})

    def _send(self, plan: Plan, event: Json) -> None:
        if plan.delay_ms:
            time.sleep(plan.delay_ms / 1000)
        body = msgspec.json.encode(event)
        for tried in range(_TRIES):
            status = _post(plan, body)
            self.sent.append({"event": event["id"], "type": event["type"], "status": status})
            if 200 <= status < 300 or tried == _TRIES - 1 or plan.forge or plan.age_s:
                return
            time.sleep(_BETWEEN_TRIES_S)


def signature(body: bytes, *, secret: str, at: int) -> str:
    """Sign a body as Stripe does."""
    mac = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


def _post(plan: Plan, body: bytes) -> int:
    """Send one body. Returns: the status, 0 without an answer."""
    parts = urlsplit(plan.url)
    secret = "whsec_of_somebody_else" if plan.forge else plan.secret  # noqa: S105
    headers = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "Stripe/1.0 (sandbox)",
        "stripe-signature": signature(body, secret=secret, at=int(time.time()) - plan.age_s),
    }
    connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", parts.path, body=body, headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
