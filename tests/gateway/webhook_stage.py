"""Customers with webhooks: a gateway they call, their server, and what that got."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from billing.models import OutboxMessage
from billing.outbox import send_due
from studio.accounts.services import create_app_key
from tests.databases import Database
from tests.gateway.job_stage import JobStage, make_stage, set_rows
from tests.running import other_redis, run_gateway


@dataclass(frozen=True, kw_only=True)
class Told:
    """One message as it arrived; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The message's id."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> str:
        """What happened."""
        return str(self.json()["type"])

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)

    def is_signed_by(self, secret: str) -> bool:
        """Check the signature as receivers do.

        Source: Standard Webhooks 1.0.0: HMAC-SHA256 over `id.timestamp.body`, base64, `v1,` before
        it; several signatures have spaces between them.
        """
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return f"v1,{wanted}" in self.headers["webhook-signature"].split(" ")


class Sink:
    """A server that answers with `status` (and `location`, if set) and keeps what it got."""

    def __init__(self) -> None:
        self.got: list[Told] = []
        self.reset()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(length)
                sink.got.append(Told(path=self.path, headers=headers, body=body))
                self.send_response(sink.status)
                if sink.location:
                    self.send_header("location", sink.location)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        """Take everything again, and forget what came."""
        self.status = 200
        self.location = ""
        self.got.clear()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True, kw_only=True)
class Place:
    """A gateway whose operator lets webhooks go to the sink, and where it logs."""

    url: str
    sink: Sink
    directory: Path


@contextmanager
def webhook_place(
    database: Database, environment: dict[str, str], directory: Path
) -> Iterator[Place]:
    """Run a gateway on a database, and a sink."""
    sink = Sink()
    urls = {"DATABASE_URL": database.app_url, "DATABASE_OWNER_URL": database.owner_url}
    extra = urls | {"WEBHOOK_ALLOWED_ORIGINS": sink.origin}
    redis_url = other_redis(environment["REDIS_URL"])
    gateway = run_gateway(directory, environment | extra | {"REDIS_URL": redis_url})
    yield Place(url=gateway.url, sink=sink, directory=directory)
    gateway.stop()
    sink.close()


@dataclass(frozen=True, kw_only=True)
class Customer:
    """A workspace that makes jobs and calls the gateway's API."""

    stage: JobStage
    key: str
    url: str
    sink: Sink

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Call the API."""
        return requests.request(
            method, self.url + path, headers={"x-app-key": self.key}, timeout=30, **options
        )

    def add(self, path: str = "/hook", **body: Any) -> dict[str, Any]:
        """Add an endpoint at the sink."""
        answer = self.ask("POST", "/v1/webhooks", json={"url": self.sink.origin + path, **body})
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added

    def deliveries(self, webhook_id: str, query: str = "") -> list[dict[str, Any]]:
        """List what was sent to an endpoint."""
        answer = self.ask("GET", f"/v1/webhooks/{webhook_id}/deliveries{query}")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        return found


@contextmanager
def customer_of(place: Place, sandbox_url: str) -> Iterator[Customer]:
    """Make a customer; what waits of its messages at the end is given up."""
    place.sink.reset()
    stage = make_stage(sandbox_url)
    token = create_app_key(workspace_id=stage.workspace_id).token
    yield Customer(stage=stage, key=token, url=place.url, sink=place.sink)
    OutboxMessage.objects.filter(state="pending").update(state="failed")


def make_due() -> None:
    """Let the time of all that waits come."""
    OutboxMessage.objects.filter(state="pending").update(next_at=datetime.now(UTC))


def messages_of(customer: Customer) -> list[OutboxMessage]:
    """Give a customer's webhooks as the outbox has them, oldest first."""
    found = OutboxMessage.objects.filter(
        workspace_id=customer.stage.workspace_id, channel="webhook"
    )
    return list(found.order_by("id"))


def fail_for_a_day(customer: Customer) -> dict[str, Any]:
    """Let an endpoint have a message that was given up after a day."""
    added = customer.add()
    customer.sink.status = 503
    customer.stage.drive(customer.stage.begin())
    OutboxMessage.objects.filter(source_id=added["id"]).update(
        created_at=datetime.now(UTC) - timedelta(hours=24), give_up_at=datetime.now(UTC)
    )
    set_rows(
        "UPDATE gateway_webhookendpoint SET counted_from = now() - interval '2 days' WHERE id = %s",
        added["id"],
    )
    assert send_due() == 1
    assert messages_of(customer)[0].state == "failed"
    return added
