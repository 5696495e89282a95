"""The journal tells a test what reached the provider and what became of it."""

import hashlib
import json
import subprocess
import sys

from tests.sandbox.caller import CHECKOUT, Caller, chat_body

CHAT = "/openai/v1/chat/completions"


def test_request_is_journalled_without_its_key(caller: Caller, mark: str) -> None:
    body = chat_body(mark)
    headers = {"authorization": "Bearer sk-very-secret-7890", "idempotency-key": "one"}
    answer = caller.send("POST", CHAT, body=body, headers=headers)
    (entry,) = caller.journal(mark)
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", CHAT, 200)
    assert entry["headers"]["idempotency-key"] == "one"
    assert entry["headers"]["authorization"] == {
        "sha256": hashlib.sha256(b"sk-very-secret-7890").hexdigest(),
        "last_four": "7890",
    }
    assert "very-secret" not in json.dumps(entry)
    assert entry["body"].encode() == body
    assert entry["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert (entry["bytes_sent"], entry["state"]) == (len(answer.body), "finished")


def test_every_call_is_counted(caller: Caller, mark: str) -> None:
    for stream in (False, True):
        caller.chat(mark, stream=stream)
    entries = caller.journal(mark, at_least=2)
    assert [entry["events_sent"] > 0 for entry in entries] == [False, True]
    assert caller.journal(f"{mark}-nobody", at_least=0) == []


def test_refused_request_is_journalled_too(caller: Caller, mark: str) -> None:
    caller.chat(mark, temperature=9)
    (entry,) = caller.journal(mark)
    assert entry["status"] == 400


def test_client_that_leaves_a_slow_stream_is_noticed(caller: Caller, mark: str) -> None:
    connection = caller.connect()
    # The body is larger than uvicorn's read buffer, after which it stops reading.
    content = f"{mark} {'x' * 200_000} [[sandbox chunks=100 chunk_delay_ms=60000]]"
    headers = {"authorization": "Bearer sk-1"}
    connection.request("POST", CHAT, body=chat_body(content, stream=True), headers=headers)
    response = connection.getresponse()
    response.readline()
    response.close()
    connection.close()
    (entry,) = caller.journal(mark)
    assert (entry["state"], entry["events_sent"]) == ("client_left", 1)
    assert entry["ended_at"] >= entry["received_at"]


def test_journal_forgets_on_demand() -> None:
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        own = Caller(url=process.stdout.readline().split()[-1])
        own.chat("Hello [[sandbox status=500 times=1 tag=a]]")
        assert len(own.journal("")) == 1
        own.send("DELETE", "/_sandbox/requests")
        assert own.journal("", at_least=0) == []
        assert own.chat("[[sandbox status=500 times=1 tag=a]]").status == 500
        process.terminate()


def test_health_answers_and_a_taken_port_is_said_plainly(caller: Caller) -> None:
    assert caller.send("GET", "/health").json() == {"status": "ok"}
    port = str(caller.address()[1])
    command = [sys.executable, "-m", "sandbox", "--port", port]
    second = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert second.stderr == f"sandbox: cannot listen on 127.0.0.1:{port}: Address already in use\n"
