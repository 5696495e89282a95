"""Each fault word does to the wire what README.md says."""

import http.client
import json
import math
import socket

import openai
import pytest

from tests.sandbox.caller import Caller, chat_body

CHAT = "/openai/v1/chat/completions"
USAGE = {"include_usage": True}


def test_latency_and_chunk_delay_only_take_time(caller: Caller) -> None:
    words = "[[sandbox latency_ms=1 chunk_delay_ms=1 chunks=4]]"
    answer = caller.chat(words, stream=True)
    assert len(answer.events()) == 7
    assert answer.headers["openai-processing-ms"] == "2"


def test_chunks_are_content_events_and_tokens(caller: Caller) -> None:
    answer = caller.chat("[[sandbox chunks=64]]", stream=True, stream_options=USAGE)
    role, *content, finish, usage, done = answer.events()
    assert [len(event["choices"][0]["delta"]) for event in content] == [1] * 64
    assert (role["choices"][0]["delta"]["role"], done) == ("assistant", "[DONE]")
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert usage["usage"]["completion_tokens"] == 64


@pytest.mark.parametrize(
    ("words", "status", "code", "retry_after"),
    [
        ("status=429", 429, "rate_limit_exceeded", None),
        ("status=429 retry_after=2", 429, "rate_limit_exceeded", "2"),
        ("status=429 code=insufficient_quota", 429, "insufficient_quota", None),
        ("status=500", 500, None, None),
        ("status=502", 502, None, None),
        ("status=503 retry_after=7", 503, None, "7"),
        ("status=529", 529, None, None),
    ],
)
def test_status_is_answered_with_an_error_body(
    caller: Caller, words: str, status: int, code: str | None, retry_after: str | None
) -> None:
    answer = caller.chat(f"Hello [[sandbox {words}]]", stream=True)
    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers.get("retry-after") == retry_after


def test_fault_strikes_as_often_as_asked(caller: Caller, mark: str) -> None:
    content = f"[[sandbox status=500 times=2 tag={mark}]]"
    assert [caller.chat(content).status for _ in range(4)] == [500, 500, 200, 200]


def test_header_asks_too_and_the_message_beats_it(caller: Caller) -> None:
    headers = {"authorization": "Bearer sk-1", "x-sandbox-faults": "status=500 retry_after=1"}
    body = chat_body("[[sandbox status=503]]")
    answer = caller.send("POST", CHAT, body=body, headers=headers)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("words", ["statsu=500", "status=soon", "latency_ms", "html=maybe"])
def test_unknown_word_is_refused(caller: Caller, words: str) -> None:
    answer = caller.chat(f"[[sandbox {words}]]")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "unknown_fault")


def test_directive_is_not_quoted(caller: Caller) -> None:
    content = caller.chat("Hello [[sandbox comments]]").json()["choices"][0]["message"]["content"]
    assert content.startswith("You said: “Hello”.")


def test_field_is_rejected_when_the_body_has_it(caller: Caller) -> None:
    words = "[[sandbox reject=temperature]]"
    assert caller.chat(words).status == 200
    error = caller.chat(words, temperature=0).json()["error"]
    assert (error["param"], error["code"]) == ("temperature", "unsupported_value")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("cut_at", [1, 120])
def test_cut_resets_the_connection_at_that_byte(
    caller: Caller, mark: str, cut_at: int, stream: bool
) -> None:
    body = chat_body(f"{mark} [[sandbox cut_at={cut_at}]]", stream=stream)
    host, port = caller.address()
    request = b"POST %s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-1\r\n" % CHAT.encode()
    request += b"content-length: %d\r\n\r\n%s" % (len(body), body)
    received = b""
    with socket.create_connection((host, port), timeout=10) as raw:
        raw.sendall(request)
        with pytest.raises(ConnectionResetError):
            while True:
                received += raw.recv(65_536)
    (entry,) = caller.journal(mark)
    assert (entry["bytes_sent"], entry["state"]) == (cut_at, "broken")
    answered = received.split(b"\r\n\r\n", 1)[1]
    assert len(answered) >= cut_at if stream else len(answered) == cut_at


def test_drop_resets_without_an_answer(caller: Caller) -> None:
    with pytest.raises(ConnectionResetError):
        caller.chat("[[sandbox drop]]")


@pytest.mark.parametrize("stream", [False, True])
def test_page_of_html_and_nothing_come_with_200(caller: Caller, stream: bool) -> None:
    page = caller.chat("[[sandbox html]]", stream=stream)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.body.startswith(b"<!DOCTYPE html>")
    empty = caller.chat("[[sandbox empty]]", stream=stream)
    assert (empty.status, empty.body) == (200, b"")


def test_wrong_json_is_half_a_body_or_one_bad_event(caller: Caller) -> None:
    with pytest.raises(json.JSONDecodeError):
        caller.chat("[[sandbox wrong_json]]").json()
    events = caller.chat("[[sandbox wrong_json=1]]", stream=True).body.split(b"\n\n")
    with pytest.raises(json.JSONDecodeError):
        json.loads(events[1].removeprefix(b"data: "))
    assert json.loads(events[2].removeprefix(b"data: "))


@pytest.mark.parametrize("stream", [False, True])
def test_invalid_utf8_is_in_the_content(caller: Caller, stream: bool) -> None:
    answer = caller.chat("[[sandbox invalid_utf8]]", stream=stream)
    assert b'"content":"\xff\xfe' in answer.body
    with pytest.raises(UnicodeDecodeError):
        answer.body.decode()


def test_usage_goes_missing(caller: Caller) -> None:
    assert "usage" not in caller.chat("[[sandbox missing_usage]]").json()
    answer = caller.chat("[[sandbox missing_usage]]", stream=True, stream_options=USAGE)
    assert [event["usage"] for event in answer.events()[:-1] if event["usage"]] == []


@pytest.mark.parametrize(
    ("word", "value"), [("-5", -5), ("1.5", 1.5), ("null", None), ("many", "many")]
)
def test_usage_is_wrong(caller: Caller, word: str, value: object) -> None:
    words = f"[[sandbox usage={word}]]"
    assert caller.chat(words).json()["usage"]["prompt_tokens"] == value
    events = caller.chat(words, stream=True, stream_options=USAGE).events()
    assert events[-2]["usage"]["completion_tokens"] == value


def test_usage_is_not_a_number(caller: Caller) -> None:
    assert math.isnan(caller.chat("[[sandbox usage=NaN]]").json()["usage"]["total_tokens"])


def test_cache_counts_are_as_asked(caller: Caller) -> None:
    usage = caller.chat("[[sandbox cached=7 cache_write=3]]").json()["usage"]
    details = usage["prompt_tokens_details"]
    assert (details["cached_tokens"], details["cache_write_tokens"]) == (7, 3)


@pytest.mark.parametrize("stream", [False, True])
def test_huge_line_is_that_long(caller: Caller, stream: bool) -> None:
    answer = caller.chat("[[sandbox huge_line_bytes=1000000]]", stream=stream)
    assert max(len(line) for line in answer.body.split(b"\n")) > 1_000_000
    assert answer.status == 200


def test_done_goes_missing(caller: Caller) -> None:
    events = caller.chat("[[sandbox no_done]]", stream=True).events()
    assert events[-1]["choices"][0]["finish_reason"] == "stop"


def test_error_event_ends_the_stream(caller: Caller, client: openai.OpenAI) -> None:
    events = caller.chat("[[sandbox error_event=2]]", stream=True).events()
    assert [sorted(event)[0] for event in events] == ["choices", "choices", "error"]
    messages = [{"role": "user", "content": "[[sandbox error_event]]"}]
    with pytest.raises(openai.APIError, match="The server had an error"):
        list(client.chat.completions.create(model="gpt-5.5", messages=messages, stream=True))  # type: ignore[arg-type]


def test_odd_framing_carries_the_same_events(caller: Caller) -> None:
    words = "[[sandbox chunks=2 {}]]"
    plain, odd = (
        [event["choices"] for event in answer.events()[:-1]]
        for answer in (
            caller.chat(words.format("comments"), stream=True),
            caller.chat(words.format("comments crlf split_bytes=7"), stream=True),
        )
    )
    assert plain == odd
    body = caller.chat(words.format("comments crlf"), stream=True).body
    assert body.count(b"\n") == body.count(b"\r\n")
    assert body.count(b": keep-alive\r\n\r\n") == 5


def test_content_length_promises_too_much(caller: Caller) -> None:
    with pytest.raises(http.client.IncompleteRead) as caught:
        caller.chat("[[sandbox content_length=9]]")
    assert caught.value.expected == 9


def test_content_length_promises_too_little(caller: Caller) -> None:
    answer = caller.chat("[[sandbox content_length=-9]]")
    assert not answer.body.endswith(b"}")
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_hang_never_answers(client: openai.OpenAI, caller: Caller, mark: str) -> None:
    messages = [{"role": "user", "content": f"{mark} [[sandbox hang]]"}]
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="gpt-5.5", messages=messages, timeout=0.2)  # type: ignore[arg-type]
    (entry,) = caller.journal(mark)
    assert (entry["state"], entry["status"], entry["bytes_sent"]) == ("client_left", 0, 0)


def test_stream_falls_silent_after_its_events(caller: Caller, mark: str) -> None:
    connection = caller.connect()
    body = chat_body(f"{mark} [[sandbox hang=2]]", stream=True)
    connection.request("POST", CHAT, body=body, headers={"authorization": "Bearer sk-1"})
    response = connection.getresponse()
    assert [response.readline()[:6], response.readline()] == [b"data: ", b"\n"]
    response.close()
    connection.close()
    (entry,) = caller.journal(mark)
    assert (entry["state"], entry["events_sent"]) == ("client_left", 2)
