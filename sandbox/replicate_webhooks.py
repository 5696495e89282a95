"""The double's webhooks: signed, sent when the time comes by threads of their own, tried again.

Source: `replicate` Python SDK 1.0.7, `webhook.py`; replicate.com docs, Verify webhooks: HMAC-SHA256
over `id.time.body` with the decoded secret, in base64 behind `v1,`. A final message is tried again
for about a minute there; here three times within half a second.
"""

import asyncio
import base64
import hashlib
import hmac
import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import msgspec

from sandbox.replicate_predictions import Prediction

SECRET = "whsec_" + base64.b64encode(b"the sandbox signs its messages").decode()
"""The one signing secret of all accounts, so that a test may know it beforehand."""
_OTHER_SECRET = "whsec_" + base64.b64encode(b"somebody else signs these").decode()
EVENTS = ("start", "output", "logs", "completed")
_UNASKED = ("output", "logs", "completed")
_TRIES = 3
_BETWEEN_TRIES_S = 0.15
_TIMEOUT_S = 10
_OLD_S = 3600
_THREADS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="replicate-webhooks")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way; `age_s` is how long ago it says it was signed."""

    id: str
    url: str
    body: bytes
    secret: str = SECRET
    age_s: int = 0


def announce(prediction: Prediction) -> None:
    """Send its messages when their time comes; to be called within the event loop."""
    if not prediction.webhook or prediction.faults.webhooks == "none":
        return
    line = prediction.timeline
    loop = asyncio.get_running_loop()
    if line.started_at:
        wait_s = line.started_at - line.created_at
        loop.call_later(wait_s, _started, prediction, line.started_at)
    loop.call_later(line.ended_at - line.created_at, _ended, prediction, line.ended_at)


def announce_cancel(prediction: Prediction) -> None:
    """Send the last message of one that was just cancelled."""
    if prediction.webhook and prediction.faults.webhooks != "none":
        _ended(prediction, prediction.timeline.ended_at)


def signature(message: Message, at: int) -> str:
    """Sign a message as Replicate does."""
    key = base64.b64decode(message.secret.removeprefix("whsec_"))
    signed = f"{message.id}.{at}.".encode() + message.body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _started(prediction: Prediction, planned_at: float) -> None:
    """Tell the start, unless a cancel came before it."""
    # A timer may go off a moment early by this clock.
    now = max(time.time(), planned_at)
    if prediction.timeline.end != "canceled" or prediction.timeline.ended_at > now:
        _tell(prediction, "start", now)


def _ended(prediction: Prediction, planned_at: float) -> None:
    """Tell the end, unless a cancel came before it and told its own."""
    line = prediction.timeline
    if line.ended_at != planned_at:
        return
    # A timer may go off a moment early by this clock.
    now = max(time.time(), line.ended_at)
    if line.end == "succeeded":
        _tell(prediction, "output", now)
    _tell(prediction, "completed", now)


def _tell(prediction: Prediction, event: str, now: float) -> None:
    if event not in (prediction.events or _UNASKED):
        return
    spoil = prediction.faults.webhooks
    message = Message(
        id=f"msg_{hashlib.sha256((prediction.id + event).encode()).hexdigest()[:27]}",
        url=prediction.webhook,
        body=msgspec.json.encode(prediction.render(now)),
        secret=_OTHER_SECRET if spoil == "forged" else SECRET,
        age_s=_OLD_S if spoil == "old" else 0,
    )
    for _ in range(2 if spoil == "twice" else 1):
        _THREADS.submit(_send, message)


def _send(message: Message) -> None:
    for tried in range(_TRIES):
        if tried:
            time.sleep(_BETWEEN_TRIES_S)
        if 200 <= _post(message) < 300:
            return


def _post(message: Message) -> int:
    """Send a message once. Returns: the status, 0 without an answer."""
    parts = urlsplit(message.url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    at = int(time.time()) - message.age_s
    # An older secret's signature stands beside the true one while secrets are changed.
    headers = {
        "content-type": "application/json",
        "user-agent": "Replicate/1.0 (sandbox)",
        "webhook-id": message.id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{'A' * 43}= {signature(message, at)}",
    }
    connection = kind(parts.netloc, timeout=_TIMEOUT_S)
    try:
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        connection.request("POST", path, body=message.body, headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
