"""Every row of docs/broken-answers.md, for every provider: who pays what when an answer breaks."""

import json
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.databases import rows
from tests.gateway.conftest import Payer
from tests.gateway.test_streams import chunks_of, settled
from tests.sandbox.caller import Caller as Sandbox

TABLES = Path(__file__).parents[2] / "docs/broken-answers.md"
GRANTED_UCR = 1_000_000_000
MODELS = {
    "openai": "gpt-5.6-sol",
    "anthropic": "claude-sonnet-5-5",
    "gemini": "gemini-3.8-flash",
    "xai": "grok-4.3",
    "openrouter": "openai/gpt-5.6-sol",
}
each_provider = pytest.mark.parametrize("provider", MODELS)


@dataclass(frozen=True, slots=True)
class Case:
    """A fault of the sandbox and what it must come to; `source` None where both are right."""

    fault: str
    status: str
    source: str | None
    paid: bool


STREAMS = {
    "cut": Case("chunks=80 cut_at=7000", "interrupted", None, paid=True),
    "error-midway": Case("chunks=20 error_event=8", "interrupted", None, paid=True),
    "garbage-midway": Case("chunks=20 wrong_json=8", "interrupted", None, paid=True),
    "bad-utf8": Case("chunks=20 invalid_utf8=8", "interrupted", None, paid=True),
    "endless-line": Case("chunks=9 huge_line_bytes=10000000", "interrupted", None, paid=True),
    "no-usage": Case("chunks=20 missing_usage", "succeeded", "counted", paid=True),
    "odd-usage": Case("chunks=20 usage=-5", "succeeded", "counted", paid=True),
    "crlf": Case("chunks=20 crlf", "succeeded", "provider", paid=True),
    "comments": Case("chunks=20 comments", "succeeded", "provider", paid=True),
    "split": Case("chunks=20 split_bytes=7", "succeeded", "provider", paid=True),
    "refused-500": Case("status=500", "failed", "none", paid=False),
    "refused-429": Case("status=429", "failed", "none", paid=False),
    "dropped": Case("drop", "failed", "none", paid=False),
    "html": Case("html", "failed", "none", paid=False),
    "empty": Case("empty", "failed", "none", paid=False),
}
PLAIN = {
    "refused-500": Case("status=500", "failed", "none", paid=False),
    "refused-429": Case("status=429", "failed", "none", paid=False),
    "dropped": Case("drop", "failed", "none", paid=False),
    "html": Case("html", "failed", "none", paid=False),
    "empty": Case("empty", "failed", "none", paid=False),
    "wrong-json": Case("wrong_json", "failed", "none", paid=False),
    "short": Case("content_length=40", "failed", "none", paid=False),
    "no-usage": Case("chunks=20 missing_usage", "succeeded", "counted", paid=True),
    "odd-usage": Case("chunks=20 usage=-5", "succeeded", "counted", paid=True),
}
LEAVING = {"streams": {"left-before", "left-midway"}, "plain": {"left-midway"}}
"""Written out below: these are the client's doing, not the provider's."""


def body_of(provider: str, directive: str, **fields: Any) -> dict[str, Any]:
    """Ask a provider's model, with a directive for its double."""
    message = {"role": "user", "content": f"[[sandbox {directive}]] hello"}
    return {"model": MODELS[provider], "messages": [message], **fields}


def relayed_tokens(content: bytes) -> int:
    """Count what the client got as the gateway does: pieces, or 4 bytes each."""
    texts = [
        (delta.get("content") or "") + (delta.get("reasoning_content") or "")
        for chunk in chunks_of(content)
        for delta in [choice["delta"] for choice in chunk.get("choices", [])]
    ]
    said = [text for text in texts if text]
    return max(len(said), -(-sum(len(text.encode()) for text in said) // 4))


def money_is_exact(payer: Payer, usage: dict[str, Any]) -> bool:
    """Tell whether wallet, journal and usage row say the same, and nothing is left held."""
    spent = sum(entry["amount"] for entry in payer.entries() if entry["kind"] == "usage")
    return (
        payer.balance() == (GRANTED_UCR - usage["charge_ucr"], 0) and spent == usage["charge_ucr"]
    )


def leave(payer: Payer, sandbox_url: str, body: dict[str, Any], *, events: int) -> dict[str, Any]:
    """Send a request, hang up after so many events, or else once it has reached the provider.

    Returns: what the provider's double has seen, when it was over.
    """
    mark = f"mark-{uuid4()}"
    body["messages"][0]["content"] += f" {mark}"
    sandbox = Sandbox(url=sandbox_url)
    address = urlsplit(payer.url)
    sent = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {payer.key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(sent)}\r\n\r\n"
    )
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 80), timeout=10) as client:
        client.sendall(head.encode() + sent)
        sandbox.send("GET", f"/_sandbox/requests?contains={mark}&at_least=1")
        received = b""
        while received.count(b"data: ") < events:
            data = client.recv(65536)
            assert data, received
            received += data
        left_at = time.time()
    [seen] = sandbox.journal(contains=mark)
    return {**seen, "after_leaving_s": seen["ended_at"] - left_at}


@pytest.mark.parametrize(("heading", "cases"), [("Streams", STREAMS), ("Plain answers", PLAIN)])
def test_the_tables_and_the_tests_name_the_same_cases(heading: str, cases: dict[str, Case]) -> None:
    section = TABLES.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    first_cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = set(re.findall(r"`([a-z0-9-]+)`", " ".join(first_cells)))
    key = "streams" if heading == "Streams" else "plain"
    assert named == set(cases) | LEAVING[key]


@each_provider
@pytest.mark.parametrize("case", STREAMS.values(), ids=list(STREAMS))
def test_a_stream_that_breaks(payer: Payer, provider: str, case: Case) -> None:
    answer = payer.post(
        "/v1/chat/completions", json=body_of(provider, case.fault, stream=True), timeout=60
    )
    usage = settled(payer)
    assert usage["status"] == case.status
    assert usage["usage_source"] == (case.source or usage["usage_source"])
    assert (usage["charge_ucr"] > 0) == case.paid
    assert (usage["provider"], usage["model"]) == (provider, MODELS[provider])
    assert money_is_exact(payer, usage)
    if answer.status_code != 200:
        assert case.status == "failed"
        assert set(answer.json()["error"]) == {"type", "message", "code", "param"}
        return
    ended_well = answer.content.endswith(b"data: [DONE]\n\n")
    assert ended_well == (case.status == "succeeded")
    assert ("error" in chunks_of(answer.content)[-1]) == (not ended_well)
    if usage["usage_source"] == "counted":
        assert usage["output_tokens"] == relayed_tokens(answer.content)


@each_provider
@pytest.mark.parametrize("case", PLAIN.values(), ids=list(PLAIN))
def test_a_plain_answer_that_breaks(payer: Payer, provider: str, case: Case) -> None:
    answer = payer.post("/v1/chat/completions", json=body_of(provider, case.fault), timeout=60)
    usage = settled(payer)
    assert (usage["status"], usage["usage_source"]) == (case.status, case.source)
    assert (usage["charge_ucr"] > 0) == case.paid
    assert money_is_exact(payer, usage)
    if case.paid:
        assert answer.json()["choices"][0]["message"]["content"]
    else:
        assert 502 <= answer.status_code <= 504
        assert set(answer.json()["error"]) == {"type", "message", "code", "param"}


@each_provider
def test_a_client_that_leaves_a_stream_before_its_first_text_pays_nothing(
    payer: Payer, sandbox_url: str, provider: str
) -> None:
    leave(
        payer,
        sandbox_url,
        body_of(provider, "chunks=99 latency_ms=700 chunk_delay_ms=50", stream=True),
        events=0,
    )
    usage = settled(payer)
    assert (usage["status"], usage["usage_source"]) == ("cancelled", "none")
    assert usage["charge_ucr"] == 0
    assert usage["cost_ucr"] > 0
    assert money_is_exact(payer, usage)


@each_provider
def test_a_client_that_leaves_midway_drops_the_provider_and_pays_for_what_was_relayed(
    payer: Payer, sandbox_url: str, provider: str
) -> None:
    body = body_of(provider, "chunks=200 chunk_delay_ms=50", stream=True)
    seen = leave(payer, sandbox_url, body, events=8)
    usage = settled(payer)
    assert (usage["status"], usage["reason"]) == ("cancelled", "client_left")
    assert 0 < usage["output_tokens"] < 60
    assert usage["charge_ucr"] > 0
    assert money_is_exact(payer, usage)
    assert seen["state"] == "client_left"
    assert seen["after_leaving_s"] < 1


@each_provider
def test_a_client_that_leaves_a_plain_answer_pays_for_it_whole(
    payer: Payer, sandbox_url: str, provider: str
) -> None:
    leave(payer, sandbox_url, body_of(provider, "chunks=12 latency_ms=700"), events=0)
    usage = settled(payer)
    assert (usage["status"], usage["usage_source"]) == ("succeeded", "provider")
    assert usage["output_tokens"] >= 12
    assert money_is_exact(payer, usage)
    assert rows("SELECT 1 FROM ledger.hold WHERE wallet_id = %s", payer.workspace_id) == []
