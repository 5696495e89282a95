"""Chat bodies as strangers send them: broken, hostile, or merely wrong."""

import json
from typing import Any

HELLO = {"role": "user", "content": "Hello"}
WITHOUT_MESSAGES = [b"{}", b'{"messages":[]}', b'{"messages":"Hi"}', b'{"messages":null}']
WITHOUT_MESSAGES += [b'{"messages":{}}', b'{"messages":0,"model":"m"}', b'{"messages":true}']


def body_of(**fields: Any) -> bytes:
    """Write a request for Hello with these fields."""
    return json.dumps({"messages": [HELLO], **fields}).encode()


def said(text: bytes) -> bytes:
    """Write a request whose message is this raw JSON."""
    return b'{"messages":[{"role":"user","content":' + text + b"}]}"


def nested(levels: int) -> bytes:
    """Write a tool whose parameters make the body this deep."""
    around = 5
    inner = b'{"a":' * (levels - around) + b"0" + b"}" * (levels - around)
    return (
        b'{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":'
        b'{"name":"f","parameters":{"p":' + inner + b"}}}]}"
    )


BAD_BODIES: dict[str, bytes] = {
    "empty": b"",
    "space": b"  \n",
    "null": b"null",
    "array": b"[]",
    "string": b'"messages"',
    "number": b"1",
    "truncated": b'{"messages":[{"role":"user","content":"x"}]',
    "truncated string": b'{"messages":[{"role":"us',
    "trailing comma": b'{"messages":[{"role":"user","content":"x"},]}',
    "trailing text": body_of() + b" x",
    "two bodies": body_of() * 2,
    "single quotes": b"{'messages':[]}",
    "comment": b"/* hi */" + body_of(),
    "byte order mark": b"\xef\xbb\xbf" + body_of(),
    "utf-16": body_of().decode().encode("utf-16"),
    "invalid utf-8": said(b'"\xff\xfe"'),
    "overlong utf-8": said(b'"\xc0\xaf"'),
    "utf-8 surrogate": said(b'"\xed\xa0\x80"'),
    "lone surrogate": said(b'"\\ud800"'),
    "lone low surrogate": said(b'"\\udc00"'),
    "swapped surrogates": said(b'"\\udc00\\ud800"'),
    "nul escape": said(b'"a\\u0000b"'),
    "nul escape after backslash": said(b'"\\\\\\u0000"'),
    "raw nul": said(b'"\x00"'),
    "raw line feed": said(b'"a\nb"'),
    "bad escape": said(b'"\\x41"'),
    "nan": b'{"messages":[{"role":"user","content":"x"}],"temperature":NaN}',
    "infinity": b'{"messages":[{"role":"user","content":"x"}],"temperature":Infinity}',
    "minus infinity": b'{"messages":[{"role":"user","content":"x"}],"temperature":-Infinity}',
    "float overflow": b'{"messages":[{"role":"user","content":"x"}],"temperature":1e999}',
    "huge integer": b'{"messages":[{"role":"user","content":"x"}],"n":' + b"9" * 5000 + b"}",
    "integer beyond 64 bits": b'{"messages":[{"role":"user","content":"x"}],"seed":1'
    + b"0" * 30
    + b"}",
    "token limit beyond 2^53": body_of(max_tokens=2**53),
    "integer beyond 2^53 in a schema": body_of(
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"m": [2**53]}}}]
    ),
    "integer beyond 2^53 in a response schema": body_of(
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"m": -(2**60)}},
        }
    ),
    "100001 values in a schema": body_of(
        functions=[{"name": "f", "parameters": {"a": [1] * 100_001}}]
    ),
    "float overflow in a schema": b'{"messages":[{"role":"user","content":"x"}],"functions":'
    b'[{"name":"f","parameters":{"m":1e999}}]}',
    "65 levels": nested(65),
    "1000 levels": nested(1000),
    "100000 brackets": b"[" * 100_000,
    "100000 braces": b'{"a":' * 100_000,
    "unmatched brackets": said(b"[" * 70 + b"]" * 80),
    "10001 keys": body_of(logit_bias={str(number): 1 for number in range(10_001)}),
    "a million empty arrays": said(b"[" + b"[]," * 1_000_000 + b"[]]"),
    "a million quotes": b'"' * 1_000_000,
    "escaped quotes without end": b'{"messages":"' + b'\\"' * 100_000 + b"[" * 100,
    "unknown field": body_of(temprature=1),
    "unknown field in a message": body_of(messages=[{**HELLO, "weight": 1}]),
    "unknown field in a tool": body_of(
        tools=[{"type": "function", "function": {"name": "f", "x": 1}}]
    ),
    "unknown role": body_of(messages=[{"role": "wizard", "content": "x"}]),
    "no role": body_of(messages=[{"content": "x"}]),
    "numeric role": body_of(messages=[{"role": 1, "content": "x"}]),
    "no content": body_of(messages=[{"role": "user"}]),
    "null content": body_of(messages=[{"role": "user", "content": None}]),
    "numeric content": body_of(messages=[{"role": "user", "content": 7}]),
    "empty parts": body_of(messages=[{"role": "user", "content": []}]),
    "unknown part": body_of(messages=[{"role": "user", "content": [{"type": "video"}]}]),
    "part without type": body_of(messages=[{"role": "user", "content": [{"text": "x"}]}]),
    "image in a system message": body_of(
        messages=[{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
    ),
    "image without address": body_of(
        messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]
    ),
    "file by id": body_of(
        messages=[{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]
    ),
    "tool message without id": body_of(messages=[{"role": "tool", "content": "x"}]),
    "message that is text": body_of(messages=["Hello"]),
    "null message": body_of(messages=[None]),
    "temperature above": body_of(temperature=2.1),
    "temperature below": body_of(temperature=-0.1),
    "temperature as text": body_of(temperature="1"),
    "top_p above": body_of(top_p=1.01),
    "n of 0": body_of(n=0),
    "n of 129": body_of(n=129),
    "n as float": body_of(n=1.5),
    "n as boolean": body_of(n=True),
    "no tokens": body_of(max_completion_tokens=0),
    "negative tokens": body_of(max_tokens=-1),
    "top_logprobs above": body_of(top_logprobs=21),
    "penalty above": body_of(presence_penalty=2.5),
    "penalty below": body_of(frequency_penalty=-2.5),
    "five stops": body_of(stop=["a", "b", "c", "d", "e"]),
    "no stops": body_of(stop=[]),
    "bias above": body_of(logit_bias={"1": 101}),
    "stream as text": body_of(stream="true"),
    "stream options without stream": body_of(stream_options={"include_usage": True}),
    "unknown tool type": body_of(tools=[{"type": "retrieval"}]),
    "unknown tool choice": body_of(tool_choice="maybe"),
    "unknown effort": body_of(reasoning_effort="heroic"),
    "unknown response format": body_of(response_format={"type": "xml"}),
    "17 metadata": body_of(metadata={str(number): "" for number in range(17)}),
    "long metadata key": body_of(metadata={"k" * 65: ""}),
    "long safety identifier": body_of(safety_identifier="s" * 65),
    "no functions": body_of(functions=[]),
    "empty model": body_of(model=""),
    "long model": body_of(model="m" * 257),
    "numeric kind": body_of(kind=7),
}
