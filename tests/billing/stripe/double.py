"""The Stripe double from a test's side: told what payers do, and its webhooks signed by hand."""

import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import requests
import stripe

WEBHOOK_SECRET = "whsec_only_for_tests_0123456789"


@dataclass(frozen=True, kw_only=True)
class Double:
    """One account of the double."""

    sandbox_url: str
    secret_key: str

    @property
    def api_base(self) -> str:
        """Where the library finds it."""
        return f"{self.sandbox_url}/stripe"

    @property
    def client(self) -> stripe.StripeClient:
        """The real library, talking to the double."""
        return stripe.StripeClient(self.secret_key, base_addresses={"api": self.api_base})

    def control(self, name: str, **fields: Any) -> Any:
        """Tell it something. Returns: its answer, which is an error where the card was refused."""
        response = requests.post(
            f"{self.api_base}/_control/{name}",
            json=fields,
            headers={"authorization": f"Bearer {self.secret_key}"},
            timeout=30,
        )
        assert response.status_code in (200, 402), response.text
        return response.json()

    def settled(self) -> list[dict[str, Any]]:
        """Wait until no webhook is under way. Returns: all that were sent."""
        response = requests.get(
            f"{self.api_base}/_control/settled",
            headers={"authorization": f"Bearer {self.secret_key}"},
            timeout=60,
        )
        last = response.text.rstrip().rsplit("data: ", 1)[1]
        sent: list[dict[str, Any]] = json.loads(last)["sent"]
        return sent

    def events(self, *types: str) -> list[dict[str, Any]]:
        """Read its events, or those of these types, the oldest first."""
        listed = self.client.v1.events.list({"limit": 100})
        found = [event.to_dict() for event in listed.auto_paging_iter()]
        return [e for e in reversed(found) if not types or e["type"] in types]


def new_double(sandbox_url: str, *, live: bool = False) -> Double:
    """Open an account nobody has used."""
    mode = "live" if live else "test"
    return Double(sandbox_url=sandbox_url, secret_key=f"sk_{mode}_{uuid4().hex}")


def signed(
    event: dict[str, Any] | bytes, *, secret: str = WEBHOOK_SECRET, age_s: int = 0
) -> tuple[bytes, dict[str, str]]:
    """Sign an event by the real library. Returns: the body and its headers."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    header = stripe.WebhookSignature.generate_signature_header(
        body.decode(), secret, timestamp=int(time.time()) - age_s
    )
    return body, {"stripe-signature": header, "content-type": "application/json"}
