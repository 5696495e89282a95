"""Calls for embeddings over HTTP, and what they should cost."""

from typing import Any

import requests

from tests.databases import rows
from tests.gateway.conftest import Payer

SMALL = "text-embedding-3-small"
LARGE = "text-embedding-3-large"
GRANTED_UCR = 1_000_000_000
RATE_UCR = {SMALL: 20, LARGE: 130}
"""µcr a token, before the markup."""


def embed(payer: Payer, text: Any = "Hello", **options: Any) -> requests.Response:
    """Ask for embeddings; the sandbox reads its directives from the text."""
    body = {"kind": "embedding.default", "input": text, **options.pop("body", {})}
    return payer.post("/v1/embeddings", json=body, **options)


def charge_of(tokens: int, *, model: str = SMALL, markup_bp: int = 2000) -> int:
    """Give the charge in µcr, rounded up."""
    return -(-tokens * RATE_UCR[model] * (10_000 + markup_bp) // 10_000)


def nothing_moved(payer: Payer) -> bool:
    """Tell whether the wallet is as it was and no call was made."""
    calls = rows("SELECT 1 FROM gateway_call WHERE workspace_id = %s", payer.workspace_id)
    return payer.balance() == (GRANTED_UCR, 0) and payer.entries() == [] and calls == []
