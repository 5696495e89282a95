"""What comes from Google, word for word, and that its double takes what we write."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.operations.chat import ChatRequest, ChatUsage, decode_chat
from gateway.outcomes import is_payable
from gateway.providers.base import Reply, Target, UpstreamAnswer, UpstreamInvalid
from gateway.providers.gemini import PROVIDER

REPLIES = Path(__file__).parent / "replies/gemini"
ANSWER_ID = "chatcmpl-0192f3c4-5d6e-7f80-91a2-b3c4d5e6f708"
CALL_ID = "call_0192f3c45d6e7f8091a2b3c4d5e6f708"
TARGET = Target(model="gemini-3.8-flash", answer_id=ANSWER_ID, created_s=1790000000)
SIGNATURE = "EsoDCscDAXLI2nyF8k1tVmx0b3JpYWwgc2lnbmF0dXJl"
STREAMED_SIGNATURE = "CiQBcsjafJ9uZSBtb3JlIHNpZ25hdHVyZSBmb3IgdGVzdHM="
CITY = '{"city":"Zürich","days":2}'
TIME = {"type": "function", "function": {"name": "time", "parameters": {"type": "object"}}}


def request_of(**fields: Any) -> ChatRequest:
    """Read a request for Hello with these fields."""
    messages = [{"role": "user", "content": "Hello"}]
    return decode_chat(json.dumps({"messages": messages, "model": "asked", **fields}).encode())


def parse(body: bytes, **fields: Any) -> Reply:
    """Read an answer to a request with these fields."""
    answer = UpstreamAnswer(status=200, headers={}, body=body)
    return PROVIDER.parse_chat(request_of(**fields), TARGET, answer)


def recorded(name: str) -> bytes:
    """Read a recorded reply."""
    return (REPLIES / name).read_bytes()


def message_of(reply: Reply) -> Any:
    """Give the first message that the caller sees."""
    return json.loads(reply.body)["choices"][0]["message"]


def call(number: int, name: str, arguments: str, signature: str = "") -> dict[str, Any]:
    """Make a call as callers see it."""
    made: dict[str, Any] = {
        "id": f"{CALL_ID}{number:03d}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
    if signature:
        made["extra_content"] = {"google": {"thought_signature": signature}}
    return made


def chunks(name: str, **fields: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Read a recorded stream. Returns: what became of it, and the chunks that were relayed."""
    stream = PROVIDER.open_chat_stream(request_of(stream=True, **fields), TARGET)
    relayed = stream.feed(recorded(name)).decode()
    return stream, [json.loads(line[6:]) for line in relayed.split("\n\n") if line]


def deltas(name: str, **fields: Any) -> list[Any]:
    """Give the deltas of a recorded stream, the empty first and last ones left out."""
    _, relayed = chunks(name, **fields)
    assert relayed[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    return [chunk["choices"][0]["delta"] for chunk in relayed[1:] if chunk["choices"][0]["delta"]]


@pytest.mark.parametrize(
    ("name", "usage", "reason", "delivered"),
    [
        ("plain", ChatUsage(input_tokens=9, output_tokens=71, reasoning_tokens=63), "stop", True),
        (
            "tools",
            ChatUsage(input_tokens=71, output_tokens=75, reasoning_tokens=58),
            "tool_calls",
            True,
        ),
        (
            "parallel_tools",
            ChatUsage(input_tokens=96, output_tokens=158, reasoning_tokens=120),
            "tool_calls",
            True,
        ),
        ("older_tools", ChatUsage(input_tokens=60, output_tokens=15), "tool_calls", True),
        (
            "thoughts",
            ChatUsage(input_tokens=16, output_tokens=218, reasoning_tokens=211),
            "stop",
            True,
        ),
        ("blocked", ChatUsage(input_tokens=23, output_tokens=0), "content_filter", False),
        ("safety", ChatUsage(input_tokens=31, output_tokens=0), "content_filter", False),
        (
            "safety_midway",
            ChatUsage(input_tokens=29, output_tokens=45, reasoning_tokens=40),
            "content_filter",
            True,
        ),
        ("max_tokens", ChatUsage(input_tokens=12, output_tokens=5), "length", True),
        (
            "thoughts_only",
            ChatUsage(input_tokens=12, output_tokens=61, reasoning_tokens=61),
            "length",
            False,
        ),
        (
            "cached",
            ChatUsage(input_tokens=4520, output_tokens=2, cached_input_tokens=4064),
            "stop",
            True,
        ),
        (
            "tool_use",
            ChatUsage(input_tokens=153, output_tokens=17, reasoning_tokens=12),
            "stop",
            True,
        ),
        (
            "malformed_call",
            ChatUsage(input_tokens=71, output_tokens=45, reasoning_tokens=45),
            "other",
            False,
        ),
    ],
)
def test_an_answer_is_understood(name: str, usage: ChatUsage, reason: str, delivered: bool) -> None:
    reply = parse(recorded(f"{name}.json"))
    assert reply.usage == usage
    assert (reply.finish_reason, reply.delivered) == (reason, delivered)
    assert (reply.model, reply.counted_tokens) == ("gemini-3.8-flash", usage.output_tokens)


def test_an_answer_is_written_as_openai_writes_it() -> None:
    assert json.loads(parse(recorded("plain.json")).body) == {
        "id": ANSWER_ID,
        "object": "chat.completion",
        "created": 1790000000,
        "model": "gemini-3.8-flash",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "The capital of France is Paris.",
                    "refusal": None,
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 71,
            "total_tokens": 80,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 63},
        },
    }


def test_calls_have_our_ids_and_carry_googles_signature() -> None:
    single = message_of(parse(recorded("tools.json")))
    assert single["content"] is None
    assert single["tool_calls"] == [call(1, "get_weather", CITY, SIGNATURE)]
    several = message_of(parse(recorded("parallel_tools.json")))
    assert several["content"] == "I look both up."
    assert several["tool_calls"] == [
        call(1, "get_weather", '{"city":"Bern"}', SIGNATURE),
        call(2, "get_time", "{}"),
    ]
    assert len(several["tool_calls"][0]["id"]) == 40
    older = parse(recorded("tools.json"), functions=[{"name": "get_weather"}])
    assert message_of(older)["function_call"] == {"name": "get_weather", "arguments": CITY}
    assert older.finish_reason == "function_call"


def test_thoughts_stand_beside_the_answer() -> None:
    message = message_of(parse(recorded("thoughts.json")))
    assert message["content"] == "9.9 is larger."
    assert message["reasoning_content"] == (
        "**Comparing**\n\n9.11 is less than 9.9, since 0.11 < 0.9.\n"
    )


@pytest.mark.parametrize(
    ("name", "payable"),
    [("blocked", False), ("safety", False), ("safety_midway", True), ("thoughts_only", True)],
)
def test_a_block_costs_nothing_unless_something_was_said(name: str, payable: bool) -> None:
    reply = parse(recorded(f"{name}.json"))
    found = is_payable(reply.usage, delivered=reply.delivered, finish_reason=reply.finish_reason)
    assert found == payable


@pytest.mark.parametrize(
    "usage",
    [
        b"null",
        b"{}",
        b"[]",
        b'{"candidatesTokenCount":2}',
        b'{"promptTokenCount":0,"candidatesTokenCount":2}',
        b'{"promptTokenCount":-8,"candidatesTokenCount":2}',
        b'{"promptTokenCount":"8","candidatesTokenCount":2}',
        b'{"promptTokenCount":8,"candidatesTokenCount":2.5}',
        b'{"promptTokenCount":8,"candidatesTokenCount":99999999999}',
        b'{"promptTokenCount":8,"cachedContentTokenCount":9}',
        b'{"promptTokenCount":2147483647,"toolUsePromptTokenCount":1}',
    ],
)
def test_a_usage_that_cannot_be_believed_is_counted_by_us(usage: bytes) -> None:
    body = b'{"candidates":[{"content":{"parts":[{"text":"123456789"}]}}],"usageMetadata":%s}'
    reply = parse(body % usage)
    assert (reply.usage, reply.counted_tokens, reply.finish_reason) == (None, 3, "other")


@pytest.mark.parametrize(
    "body",
    [
        b'{"candidates":[]}',
        b'{"candidates":{}}',
        b'{"promptFeedback":{}}',
        b'{"candidates":[{"content":"Hi"}]}',
        b'{"candidates":[{"content":{"parts":[{"text":"\xff"}]}}]}',
        b'{"usageMetadata":{"promptTokenCount":8}}',
    ],
)
def test_an_answer_without_a_readable_candidate_is_invalid(body: bytes) -> None:
    with pytest.raises(UpstreamInvalid):
        parse(body)


@pytest.mark.parametrize(
    ("name", "shown", "retry_after"),
    [
        ("error_400_argument", (400, "invalid_request_error", False), None),
        ("error_400_key", (502, "upstream_error", False), None),
        ("error_400_location", (502, "upstream_error", False), None),
        ("error_403_leaked", (502, "upstream_error", False), None),
        ("error_404_model", (502, "upstream_error", False), None),
        ("error_429_rate", (503, "upstream_overloaded", True), "27"),
        ("error_429_capacity", (503, "upstream_overloaded", True), "5"),
        ("error_429_day", (503, "upstream_quota", False), None),
        ("error_429_credits", (503, "upstream_quota", False), None),
        ("error_500_internal", (502, "upstream_error", True), None),
        ("error_503_overloaded", (503, "upstream_overloaded", True), "5"),
        ("error_504_deadline", (504, "upstream_timeout", True), None),
    ],
)
def test_an_error_of_theirs_becomes_ours(
    name: str, shown: tuple[int, str, bool], retry_after: str | None
) -> None:
    status = int(name.split("_")[1])
    failure = PROVIDER.parse_error(status, {}, recorded(f"{name}.json"))
    assert (failure.status, failure.code, failure.retryable) == shown
    assert (failure.provider_status, failure.headers.get("Retry-After")) == (status, retry_after)


def test_a_refused_request_tells_googles_words_and_not_its_fields() -> None:
    failure = PROVIDER.parse_error(400, {}, recorded("error_400_argument.json"))
    assert failure.message == (
        "Thinking level MINIMAL is not supported for this model. Please refer to [link] "
        "for more details."
    )
    assert PROVIDER.parse_error(400, {}, recorded("error_400_field.json")).details == {}


def test_a_stream_of_text_keeps_its_pieces_and_its_last_usage() -> None:
    stream, relayed = chunks("stream_text.sse", stream_options={"include_usage": True})
    assert {chunk["id"] for chunk in relayed} == {ANSWER_ID}
    assert deltas("stream_text.sse") == [
        {"content": text} for text in ("The capital", " of France is", " Paris.")
    ]
    assert relayed[-1]["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert (stream.finished, stream.finish_reason, stream.relayed_tokens) == (True, "stop", 8)
    assert stream.usage == ChatUsage(input_tokens=9, output_tokens=70, reasoning_tokens=63)
    closing = stream.closing_bytes(usage=stream.usage, charge_ucr=1_500_000, failure=None)
    usage, done = closing.decode().strip().split("\n\n")
    assert json.loads(usage[6:])["usage"]["credits_charged"] == 1.5
    assert done == "data: [DONE]"


def test_calls_of_a_stream_come_whole() -> None:
    first = {"index": 0, **call(1, "get_weather", "", STREAMED_SIGNATURE)}
    pieces = [{"tool_calls": [first]}]
    pieces += [{"tool_calls": [{"index": 0, "function": {"arguments": CITY}}]}]
    assert deltas("stream_tools.sse") == pieces
    names = [
        (made["index"], made["id"][-3:], made["function"]["name"])
        for delta in deltas("stream_parallel_tools.sse")
        for made in delta.get("tool_calls", ())
        if "id" in made
    ]
    assert names == [(0, "001", "get_weather"), (1, "002", "get_time")]
    assert chunks("stream_parallel_tools.sse")[0].finish_reason == "tool_calls"
    older = deltas("stream_tools.sse", functions=[{"name": "get_weather"}])
    assert older == [{"function_call": {"name": "get_weather", "arguments": CITY}}]


@pytest.mark.parametrize(
    ("name", "said", "reason", "output_tokens", "failure"),
    [
        ("thoughts", "9.9 is larger.", "stop", 218, None),
        ("japanese", "東京は日本の首都です。🗼", "stop", 9, None),
        ("blocked", "", "content_filter", 0, None),
        ("safety", "Here is how", "content_filter", 3, None),
        ("max_tokens", "Once upon a time", "length", 4, None),
        ("usage_behind", "Yes.", "stop", 2, None),
        ("error", "The capital", None, 2, "upstream_overloaded"),
        (
            "spaced",
            'Sure:\n\n- "Zürich"\t東京 🗼 C:\\tmp<b> a/b and so on.',
            "stop",
            62,
            None,
        ),
        ("premature_end", "The capital of", None, 3, None),
    ],
)
def test_a_stream_ends_as_google_says(
    name: str, said: str, reason: str | None, output_tokens: int, failure: str | None
) -> None:
    stream, relayed = chunks(f"stream_{name}.sse")
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in relayed) == said
    assert (stream.finish_reason, stream.usage.output_tokens) == (reason, output_tokens)
    assert stream.finished == (reason is not None)
    assert (stream.failure and stream.failure.code) == failure


def test_thoughts_of_a_stream_are_reasoning() -> None:
    assert deltas("stream_thoughts.sse")[:2] == [
        {"reasoning_content": "**Comparing**\n\n"},
        {"reasoning_content": "0.11 < 0.9.\n"},
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"max_tokens": 400, "stop": ["zzz"], "seed": 7, "response_format": {"type": "json_object"}},
        {"reasoning_effort": "high"},
        {"thinking": {"type": "enabled", "budget_tokens": 2048}},
        {"tools": [TIME], "tool_choice": "required"},
        {
            "tools": [TIME],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [TIME]},
            },
        },
    ],
)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_the_double_takes_what_is_written_and_its_answer_goes_back_to_it(
    sandbox_url: str, fields: dict[str, Any], streamed: bool
) -> None:
    def ask(request: ChatRequest) -> requests.Response:
        asked = PROVIDER.build_chat(request, TARGET)
        url = f"{sandbox_url}/gemini/v1beta{asked.path}"
        headers = asked.headers | PROVIDER.auth("k-1234")
        return requests.post(url, data=asked.body, headers=headers, timeout=10)

    if streamed:
        stream = PROVIDER.open_chat_stream(request_of(stream=True, **fields), TARGET)
        assert stream.feed(ask(request_of(stream=True, **fields)).content) != b""
        assert stream.finished
        return
    message = message_of(parse(ask(request_of(**fields)).content, **fields))
    results = [
        {"role": "tool", "tool_call_id": made["id"], "content": "noon"}
        for made in message.get("tool_calls", [])
    ]
    history = [{"role": "user", "content": "Hello"}, message]
    again = request_of(messages=[*history, *results, {"role": "user", "content": "So?"}], **fields)
    assert ask(again).status_code == 200
