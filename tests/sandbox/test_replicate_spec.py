"""What the double answers is what Replicate's own document allows.

The document is not part of this repository: it is looked for beside the checkout.
"""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sandbox.faults import Faults
from sandbox.replicate_predictions import planned
from tests.sandbox.caller import Answer, Caller
from tests.sandbox.openapi import violations

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/replicate.openapi.json"
SUBMIT = "/replicate/v1/models/black-forest-labs/{}/predictions"
PREDICTION = "schemas_prediction_response"


@pytest.fixture(scope="session")
def spec() -> Any:  # noqa: ANN401 - a JSON document
    """Load Replicate's document, or say plainly that these claims go unchecked."""
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST REPLICATE'S SPEC: there is no {SPEC}")
    return json.loads(SPEC.read_bytes())


def undocumented(spec: dict[str, Any], name: str, value: object) -> list[str]:
    """List what a value has against a schema; metrics may be any, the document says so."""
    return [one for one in violations(spec, name, value) if not one.startswith("$.metrics: ")]


def begin(caller: Caller, prompt: str, model: str = "flux-schnell", **headers: str) -> Answer:
    """Begin a prediction."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return caller.send(
        "POST",
        SUBMIT.format(model),
        body=json.dumps({"input": {"prompt": prompt}}).encode(),
        headers={"authorization": "Bearer r8_spec", **named},
    )


@pytest.mark.parametrize("model", ["flux-schnell", "flux-dev", "flux-1.1-pro", "flux-pro"])
@pytest.mark.parametrize(
    "prompt",
    [
        "a lighthouse",
        "[[sandbox fail=nsfw]]",
        "[[sandbox fail=aborted]]",
        "[[sandbox fail=canceled]]",
        "[[sandbox expire_ms=0]]",
        "[[sandbox starting_ms=0 running_ms=60000]]",
    ],
)
def test_predictions_are_documented(
    spec: dict[str, Any], caller: Caller, model: str, prompt: str
) -> None:
    begun = begin(caller, prompt, model, prefer="wait=1", cancel_after="1h2m5s")
    address = begun.json()["urls"]["get"]
    assert address == f"{caller.url}/replicate/v1/predictions/{begun.json()['id']}"
    later = caller.send("GET", address.removeprefix(caller.url))
    assert later.status == 404
    later = caller.send(
        "GET", address.removeprefix(caller.url), headers={"authorization": "Bearer r8_spec"}
    )
    for answer in (begun, later):
        assert undocumented(spec, PREDICTION, answer.json()) == []


def test_the_list_and_the_account_are_documented(spec: dict[str, Any], caller: Caller) -> None:
    begin(caller, "a lighthouse")
    headers = {"authorization": "Bearer r8_spec"}
    listed = caller.send("GET", "/replicate/v1/predictions", headers=headers).json()
    assert listed.keys() == {"previous", "next", "results"}
    assert listed["results"] != []
    for one in listed["results"]:
        assert undocumented(spec, PREDICTION, one) == []
    secret = caller.send("GET", "/replicate/v1/webhooks/default/secret", headers=headers).json()
    assert secret["key"].startswith("whsec_")


def test_a_wait_gives_a_whole_output_that_is_called_processing(caller: Caller) -> None:
    answer = begin(caller, "a lighthouse", prefer="wait")
    assert (answer.status, answer.json()["status"]) == (201, "processing")
    assert len(answer.json()["output"]) == 1


def test_a_wait_that_is_too_short_leaves_it_to_the_poll(caller: Caller) -> None:
    answer = begin(caller, "[[sandbox starting_ms=60000]]", prefer="wait=1")
    assert (answer.status, answer.json()["status"], answer.json()["output"]) == (
        202,
        "starting",
        None,
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"prefer": "wait=61"},
        {"prefer": "wait=0"},
        {"prefer": "respond-async"},
        {"cancel_after": "4s"},
        {"cancel_after": "5 minutes"},
        {"cancel_after": "m"},
    ],
)
def test_odd_headers_are_refused(caller: Caller, headers: dict[str, str]) -> None:
    assert begin(caller, "a lighthouse", **headers).status == 422


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"[]", "- Invalid type. Expected: object, given: array\n"),
        (b'{"webhook":"x"}', "- input is required\n- webhook: Does not match format 'uri'\n"),
        (b'{"input":{}}', "- input: prompt is required\n"),
        (b'{"input":{"prompt":"p"},"a":1}', "- Additional property a is not allowed\n"),
        (b"{", "Malformed JSON"),
    ],
)
def test_odd_bodies_are_refused_in_their_words(caller: Caller, body: bytes, detail: str) -> None:
    answer = caller.send("POST", SUBMIT.format("flux-schnell"), body=body)
    assert answer.status in (400, 422)
    assert answer.json()["detail"] == detail


@pytest.mark.parametrize(
    ("faults", "deadline_at", "expected"),
    [
        (Faults(), None, (100.05, 100.2, "succeeded")),
        (Faults(), 160.0, (100.05, 100.2, "succeeded")),
        (Faults(running_ms=9000), 105.0, (100.05, 105.0, "canceled")),
        (Faults(starting_ms=9000), 105.0, (None, 105.0, "aborted")),
        (Faults(blocked=2), None, (100.05, 100.2, "failed")),
        (Faults(blocked=1), None, (100.05, 100.2, "succeeded")),
        (Faults(fail="aborted"), None, (None, 100.2, "aborted")),
    ],
)
def test_a_life_is_planned_up_to_its_deadline(
    faults: Faults, deadline_at: float | None, expected: tuple[float | None, float, str]
) -> None:
    line = planned(faults, count=2, now=100.0, deadline_at=deadline_at)
    assert (line.started_at, line.ended_at, line.end) == expected


def test_a_key_is_asked_for(caller: Caller) -> None:
    answer = caller.send("GET", "/replicate/v1/predictions", headers={})
    assert (answer.status, answer.json()["title"]) == (401, "Unauthenticated")


def test_the_journal_knows_what_was_asked(caller: Caller) -> None:
    mark = uuid4().hex
    begin(caller, f"a lighthouse {mark}")
    (entry,) = caller.journal(mark)
    assert (entry["status"], entry["path"]) == (201, SUBMIT.format("flux-schnell"))
    assert entry["headers"]["authorization"]["last_four"] == "spec"
