"""OpenAI's dialect, word for word."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.chat import ChatRequest, ChatUsage, decode_chat
from gateway.providers.base import ChatStream, Target, UpstreamFailure, UpstreamInvalid
from gateway.providers.openai import PROVIDER

REPLIES = Path(__file__).parent / "replies/openai"
TARGET = Target(model="gpt-5.6-sol", max_output_tokens=64)
CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1790000000,
    "model": "gpt-5.6-sol",
}


def request_of(**fields: Any) -> ChatRequest:
    """Read a request for Hello with these fields."""
    messages = [{"role": "user", "content": "Hello"}]
    return decode_chat(json.dumps({"messages": messages, "model": "asked", **fields}).encode())


def sent(target: Target = TARGET, **fields: Any) -> dict[str, Any]:
    """Give the JSON that goes to OpenAI for these fields."""
    body: dict[str, Any] = json.loads(PROVIDER.build_chat(request_of(**fields), target).body)
    assert body.pop("messages") == [{"role": "user", "content": "Hello"}]
    return body


def reply(name: str) -> bytes:
    """Read a recorded reply."""
    return (REPLIES / name).read_bytes()


def opened(*, wants_usage: bool = False, **fields: Any) -> ChatStream:
    """Begin to read a stream."""
    fields["stream_options"] = {"include_usage": wants_usage}
    return PROVIDER.open_chat_stream(request_of(stream=True, **fields), TARGET)


def event(text: str = "", *, reason: str | None = None, **fields: Any) -> bytes:
    """Write one event of a stream as OpenAI does."""
    delta = {"content": text} if text else {}
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
    chunk = {**CHUNK, "choices": choices, "usage": None, **fields}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def usage_event(usage: object) -> bytes:
    """Write a usage chunk."""
    return event(choices=[], usage=usage)


def events_of(data: bytes) -> list[Any]:
    """Read what a client of OpenAI's would make of a stream."""
    found = []
    for block in data.decode().split("\n\n")[:-1]:
        text = block.removeprefix("data: ")
        found.append(text if text == "[DONE]" else json.loads(text))
    return found


def test_a_request_goes_out_with_the_routes_model_and_the_ceiling_that_was_held() -> None:
    request = PROVIDER.build_chat(request_of(max_tokens=9, temperature=0), TARGET)
    assert (request.method, request.path) == ("POST", "/chat/completions")
    assert request.headers == {"content-type": "application/json", "accept": "application/json"}
    assert sent(max_tokens=9, temperature=0) == {
        "model": "gpt-5.6-sol",
        "max_completion_tokens": 64,
        "temperature": 0,
    }


def test_without_a_ceiling_the_callers_maximum_moves_to_its_new_name() -> None:
    assert sent(Target(model="m"), max_tokens=9) == {"model": "m", "max_completion_tokens": 9}
    assert sent(Target(model="m")) == {"model": "m"}


def test_a_stream_always_asks_for_usage_and_never_for_padding() -> None:
    expected = {
        "model": "gpt-5.6-sol",
        "max_completion_tokens": 64,
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
    }
    assert sent(stream=True) == expected
    wanted = {"include_usage": False, "include_obfuscation": True}
    assert sent(stream=True, stream_options=wanted) == expected
    request = PROVIDER.build_chat(request_of(stream=True), TARGET)
    assert request.headers["accept"] == "text/event-stream"


def test_parameters_the_model_refuses_are_dropped_and_ours_are_not() -> None:
    target = Target(model="m", drop_parameters=("temperature", "stop", "model", "nonsense"))
    assert sent(target, temperature=1, stop="x", top_p=1) == {"model": "m", "top_p": 1}


def test_other_fields_pass_on_unchanged() -> None:
    fields = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": [1, 2.5]}}}],
        "tool_choice": "required",
        "response_format": {"type": "json_object"},
        "logit_bias": {"5": -1},
        "parallel_tool_calls": False,
        "store": False,
        "seed": 7,
    }
    assert sent(**fields) == {"model": "gpt-5.6-sol", "max_completion_tokens": 64, **fields}


def test_the_key_is_a_bearer_token() -> None:
    assert PROVIDER.auth("sk-1") == {"authorization": "Bearer sk-1"}


@pytest.mark.parametrize(
    ("name", "usage", "reason", "delivered"),
    [
        ("plain", ChatUsage(input_tokens=21, output_tokens=14), "stop", True),
        ("tools", ChatUsage(input_tokens=96, output_tokens=41), "tool_calls", True),
        ("json_schema", ChatUsage(input_tokens=78, output_tokens=24), "stop", True),
        ("vision", ChatUsage(input_tokens=1118, output_tokens=15), "stop", True),
        (
            "reasoning",
            ChatUsage(input_tokens=34, output_tokens=519, reasoning_tokens=512),
            "stop",
            True,
        ),
        (
            "cached",
            ChatUsage(
                input_tokens=2304,
                output_tokens=2,
                cached_input_tokens=2048,
                cache_write_tokens=128,
            ),
            "stop",
            True,
        ),
        ("refusal", ChatUsage(input_tokens=52, output_tokens=12), "stop", True),
        ("length", ChatUsage(input_tokens=11, output_tokens=6), "length", True),
        ("audio", ChatUsage(input_tokens=15, output_tokens=40), "stop", True),
        ("two_choices", ChatUsage(input_tokens=12, output_tokens=6), "stop", True),
        ("content_filter", ChatUsage(input_tokens=40, output_tokens=0), "content_filter", False),
    ],
)
def test_an_answer_passes_through_and_is_understood(
    name: str, usage: ChatUsage, reason: str, delivered: bool
) -> None:
    body = reply(f"{name}.json")
    answer = PROVIDER.parse_chat(200, {}, body)
    assert answer.body is body
    assert answer.usage == usage
    assert answer.counted_tokens == usage.output_tokens
    assert (answer.finish_reason, answer.delivered) == (reason, delivered)
    assert answer.model == "gpt-5.6-sol-2026-05-12"


BAD_USAGES = [
    b"null",
    b"{}",
    b"[]",
    b'"many"',
    b'{"prompt_tokens":8}',
    b'{"prompt_tokens":-8,"completion_tokens":2}',
    b'{"prompt_tokens":8,"completion_tokens":-2}',
    b'{"prompt_tokens":"8","completion_tokens":2}',
    b'{"prompt_tokens":8.5,"completion_tokens":2}',
    b'{"prompt_tokens":8,"completion_tokens":1e999}',
    b'{"prompt_tokens":8,"completion_tokens":true}',
    b'{"prompt_tokens":8,"completion_tokens":99999999999999999999}',
    b'{"prompt_tokens":8,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":9}}',
    b'{"prompt_tokens":8,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":-1}}',
    b'{"prompt_tokens":8,"completion_tokens":2,"prompt_tokens_details":"none"}',
]


@pytest.mark.parametrize("usage", BAD_USAGES)
def test_a_usage_that_cannot_be_believed_is_counted_by_us(usage: bytes) -> None:
    body = b'{"choices":[{"message":{"content":"123456789"},"finish_reason":"stop"}],"usage":%s}'
    answer = PROVIDER.parse_chat(200, {}, body % usage)
    assert answer.usage is None
    assert answer.counted_tokens == 3
    stream = opened()
    chunk = b'data: {"choices":[],"usage":%s}\n\n' % usage
    stream.feed(event("123456789") + chunk)
    assert (stream.usage, stream.relayed_tokens) == (None, 3)


def test_an_unknown_finish_reason_is_other_for_us_and_itself_for_the_caller() -> None:
    body = b'{"choices":[{"message":{"content":"x"},"finish_reason":"bored"}]}'
    answer = PROVIDER.parse_chat(200, {}, body)
    assert (answer.finish_reason, answer.body) == ("other", body)
    stream = opened()
    ending = event(reason="bored")
    assert stream.feed(ending) == ending
    assert stream.finish_reason == "other"


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}',
        b'{"choices":[{"finish_reason":"stop"}]}',
        b'{"choices":{}}',
        b'{"choices":[{"message":"Hi"}]}',
        b'{"choices":[{"message":{"content":"\xff"}}]}',
    ],
)
def test_an_answer_without_a_readable_choice_is_invalid(body: bytes) -> None:
    with pytest.raises(UpstreamInvalid):
        PROVIDER.parse_chat(200, {}, body)


@pytest.mark.parametrize(
    ("name", "headers", "shown", "retry_after"),
    [
        ("error_400_parameter", {}, (400, "invalid_request_error", False), None),
        ("error_401_key", {}, (502, "upstream_error", False), None),
        ("error_403_region", {}, (502, "upstream_error", False), None),
        ("error_404_model", {}, (502, "upstream_error", False), None),
        ("error_429_rate", {"retry-after": "7"}, (503, "upstream_overloaded", True), "7"),
        ("error_429_rate", {"retry-after-ms": "1200"}, (503, "upstream_overloaded", True), "2"),
        ("error_429_rate", {"retry-after": "soon"}, (503, "upstream_overloaded", True), "5"),
        ("error_429_rate", {"retry-after": "inf"}, (503, "upstream_overloaded", True), "5"),
        ("error_429_rate", {"retry-after": "1e9"}, (503, "upstream_overloaded", True), "3600"),
        ("error_429_quota", {}, (503, "upstream_quota", False), None),
        ("error_500_server", {}, (502, "upstream_error", True), None),
        ("error_500_server", {"x-should-retry": "false"}, (502, "upstream_error", False), None),
        ("error_503_overloaded", {"retry-after": "3"}, (502, "upstream_error", True), "3"),
    ],
)
def test_an_error_of_theirs_becomes_ours(
    name: str, headers: dict[str, str], shown: tuple[int, str, bool], retry_after: str | None
) -> None:
    status = int(name.split("_")[1])
    failure = PROVIDER.parse_error(status, headers, reply(f"{name}.json"))
    assert (failure.status, failure.code, failure.retryable) == shown
    assert failure.headers.get("Retry-After") == retry_after


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (302, "upstream_error"),
        (408, "upstream_timeout"),
        (409, "upstream_error"),
        (422, "invalid_request_error"),
        (502, "upstream_error"),
        (504, "upstream_timeout"),
        (529, "upstream_overloaded"),
    ],
)
def test_a_status_alone_says_enough(status: int, code: str) -> None:
    failure = PROVIDER.parse_error(status, {}, b"<html>api.openai.com</html>")
    assert (failure.code, failure.provider_status) == (code, status)
    assert "openai.com" not in failure.message


def test_a_refused_request_tells_the_providers_words_and_the_parameter() -> None:
    failure = PROVIDER.parse_error(400, {}, reply("error_400_parameter.json"))
    assert failure.message == (
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead. See [link]"
    )
    assert failure.details == {"param": "max_tokens"}


def test_ids_and_hosts_are_cut_from_words_but_names_of_functions_stay() -> None:
    words = "call_weather failed: req_1a2b3c4d5e6f at help.openai.com/x, key sk-abcdefgh12345"
    body = json.dumps({"error": {"message": words}}).encode()
    failure = PROVIDER.parse_error(400, {}, body)
    assert failure.message == "call_weather failed: [id] at [link] key [redacted]"


def test_a_stream_is_relayed_without_its_usage_chunk_and_its_end() -> None:
    transcript = reply("stream_text.sse")
    stream = opened()
    relayed = stream.feed(transcript)
    usage_at = transcript.index(b'data: {"id":"chatcmpl-CS1text00000000000000000001"', -900)
    held = transcript[transcript.rindex(b"data: {") :]
    assert usage_at > 0
    assert relayed + held == transcript
    assert stream.finished
    assert stream.usage == ChatUsage(input_tokens=21, output_tokens=17)
    assert stream.relayed_tokens == 17
    assert stream.finish_reason == "stop"
    ending = stream.closing_bytes(usage=stream.usage, charge_ucr=1, failure=None)
    assert ending == b"data: [DONE]\n\n"


def test_a_caller_who_asks_gets_the_providers_usage_and_the_charge() -> None:
    stream = opened(wants_usage=True)
    stream.feed(reply("stream_reasoning_usage.sse"))
    assert stream.usage == ChatUsage(
        input_tokens=2304,
        output_tokens=519,
        cached_input_tokens=2048,
        cache_write_tokens=128,
        reasoning_tokens=512,
    )
    chunk, done = events_of(
        stream.closing_bytes(usage=stream.usage, charge_ucr=12_345_678, failure=None)
    )
    assert done == "[DONE]"
    assert chunk["choices"] == []
    assert chunk["id"] == "chatcmpl-CS3usag00000000000000000003"
    assert chunk["usage"]["credits_charged"] == 12.345678
    assert chunk["usage"]["completion_tokens_details"]["accepted_prediction_tokens"] == 0


def test_a_usage_of_our_own_takes_its_place_where_the_provider_told_none() -> None:
    stream = opened(wants_usage=True)
    stream.feed(reply("stream_premature_end.sse"))
    assert (stream.finished, stream.usage, stream.relayed_tokens) == (False, None, 3)
    counted = ChatUsage(input_tokens=9, output_tokens=3, source="counted")
    failure = UpstreamInvalid("The provider ended its answer early.")
    chunk, error = events_of(
        stream.closing_bytes(usage=counted, charge_ucr=2_000_000, failure=failure)
    )
    assert chunk["id"] == "chatcmpl-CS8cut000000000000000000008"
    assert chunk["usage"]["prompt_tokens"] == 9
    assert chunk["usage"]["total_tokens"] == 12
    assert chunk["usage"]["credits_charged"] == 2
    assert error == {
        "error": {
            "type": "upstream_invalid_response",
            "message": "The provider ended its answer early.",
            "code": 502,
            "param": None,
        }
    }


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"message": "oops", "type": "server_error"}, 502, "upstream_error"),
        ({"message": "slow", "code": "rate_limit_exceeded"}, 503, "upstream_overloaded"),
        ({"message": "broke", "code": "insufficient_quota"}, 503, "upstream_quota"),
        ({"message": "no", "type": "invalid_request_error"}, 400, "invalid_request_error"),
        ("oops", 502, "upstream_error"),
        ({}, 502, "upstream_error"),
    ],
)
@pytest.mark.parametrize("prefix", [b"", b"event: error\n"], ids=["data", "event"])
def test_an_error_inside_the_stream_ends_it(
    error: object, status: int, code: str, prefix: bytes
) -> None:
    stream = opened()
    before = event("Once") + event(" upon")
    failing = prefix + b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    assert stream.feed(before + failing + event(" a")) == before
    assert isinstance(stream.failure, UpstreamFailure)
    assert (stream.failure.status, stream.failure.code) == (status, code)
    assert stream.relayed_tokens == 2
    assert not stream.finished


def test_comments_and_other_fields_are_dropped_and_data_lines_joined() -> None:
    stream = opened()
    chunk = event("Hi").removeprefix(b"data: ").rstrip()
    first, second = chunk.split(b',"choices"')
    framed = b': OPENAI PROCESSING\n\nid: 7\nretry: 100\ndata: %s\ndata:,"choices"%s\n\n'
    relayed = stream.feed(framed % (first, second))
    assert events_of(relayed) == [json.loads(chunk)]
    assert stream.relayed_tokens == 1


@pytest.mark.parametrize(
    "data",
    [
        b"data: {broken\n\n",
        b"data: 7\n\n",
        b'data: {"choices":7}\n\n',
        b'data: {"choices":[{"delta":"\xff"}]}\n\n',
        b'data: {"choices":[],"x":"\xff"}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b'data: {"choices":[{"delta":{"content":"' + b"x" * 1_100_000 + b'"}}]}\n\n',
    ],
)
def test_an_event_that_cannot_be_read_is_a_failure(data: bytes) -> None:
    stream = opened()
    good = event("Hi")
    assert stream.feed(good + data) == good
    assert isinstance(stream.failure, UpstreamInvalid)
    assert stream.relayed_tokens == 1


def test_bad_utf8_in_a_known_shape_is_a_failure_too() -> None:
    stream = opened()
    good, other = event("Hi"), event("Ho")
    assert stream.feed(good + other.replace(b"Ho", b"H\xff") + other) == good
    assert isinstance(stream.failure, UpstreamInvalid)


def test_the_last_readable_usage_wins() -> None:
    stream = opened()
    for count in (1, 2, -3):
        stream.feed(usage_event({"prompt_tokens": 5, "completion_tokens": count}))
    assert stream.usage == ChatUsage(input_tokens=5, output_tokens=2)


def test_usage_in_a_chunk_with_text_is_read_and_the_text_relayed() -> None:
    stream = opened()
    chunk = event("Hi", usage={"prompt_tokens": 5, "completion_tokens": 1})
    assert stream.feed(chunk) == chunk
    assert stream.usage == ChatUsage(input_tokens=5, output_tokens=1)


def test_the_end_needs_no_empty_line_after_it() -> None:
    stream = opened()
    stream.feed(event("Hi") + b"data: [DONE]")
    assert stream.finished


def test_the_word_done_in_a_text_is_no_end() -> None:
    stream = opened()
    text = event('data: [DONE]\n\n {"usage": 1, "error": 2}')
    assert stream.feed(text) == text
    assert not stream.finished
    assert stream.failure is None


@pytest.mark.parametrize("together", [True, False], ids=["one read", "many reads"])
def test_relayed_tokens_are_events_or_a_quarter_of_the_bytes(together: bool) -> None:
    texts = ["a", "b", "c" * 41, "日本語", "d\n", '"', "e" * 100]
    expected = -(-(1 + 1 + 41 + 9 + 3 + 2 + 100) // 4)
    stream = opened()
    parts = [
        b"data: "
        + json.dumps(
            json.loads(event(text)[6:]), separators=(",", ":"), ensure_ascii=False
        ).encode()
        + b"\n\n"
        for text in texts
    ]
    for part in [b"".join(parts)] if together else parts:
        stream.feed(part)
    assert stream.relayed_tokens == expected
    assert opened().relayed_tokens == 0


def test_an_opening_without_text_costs_nothing() -> None:
    stream = opened()
    transcript = reply("stream_text.sse")
    stream.feed(transcript[: transcript.index(b"\n\n") + 2])
    assert stream.relayed_tokens == 0


def test_log_probabilities_are_not_taken_for_text() -> None:
    stream = opened(logprobs=True)
    stream.feed(reply("stream_logprobs.sse"))
    assert stream.relayed_tokens == 4


def test_json_that_is_no_chunk_is_not_relayed() -> None:
    stream = opened()
    assert stream.feed(b'data: {"type":"ping"}\n\n') == b""
    assert stream.failure is None
