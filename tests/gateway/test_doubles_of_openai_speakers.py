"""What xAI's and OpenRouter's adaptors ask, their strict doubles take, and the other way round."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.operations.chat import ChatRequest, ChatUsage
from gateway.providers import openrouter as openrouter_provider
from gateway.providers import xai as xai_provider
from gateway.providers.base import ChatProvider, Reply, Target, UpstreamAnswer, UpstreamFailure
from sandbox import openrouter, xai
from sandbox.messages import Reply as DoublesReply
from sandbox.messages import Request
from tests.gateway.openai_bodies import request_of

MARK = {"type": "ephemeral", "ttl": "1h"}
PICTURE = {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SIGNED = {**CALL, "extra_content": {"google": {"thought_signature": "abc"}}}
TOOL = {"type": "function", "function": {"name": "f", "strict": True}, "cache_control": MARK}
HISTORY: list[dict[str, Any]] = [
    {"role": "developer", "content": [{"type": "text", "text": "Be kind.", "cache_control": MARK}]},
    {"role": "user", "name": "ada", "content": [{"type": "text", "text": "Hi"}, PICTURE]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [SIGNED],
        "reasoning_content": "Hm.",
        "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "12"},
]
EVERYTHING: dict[str, Any] = {
    "messages": HISTORY,
    "temperature": 1,
    "top_p": 0.5,
    "top_k": 5,
    "max_tokens": 4096,
    "stop": "never",
    "presence_penalty": 1,
    "frequency_penalty": 1,
    "logprobs": True,
    "top_logprobs": 2,
    "seed": 1,
    "tools": [TOOL],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning_effort": "minimal",
    "verbosity": "low",
    "service_tier": "flex",
    "prediction": {"type": "content", "content": "x"},
    "store": False,
    "metadata": {"a": "b"},
    "user": "u",
    "safety_identifier": "s",
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "thinking": {"type": "enabled", "budget_tokens": 1024},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A provider, its double, and where the double has what the provider asks for."""

    provider: ChatProvider
    double: Callable[[Request], DoublesReply]
    path: str
    target: Target

    def ask(self, request: ChatRequest) -> DoublesReply:
        """Send what the provider asks to its double."""
        sent = self.provider.build_chat(request, self.target)
        headers = {**sent.headers, **self.provider.auth("sk-1")}
        return self.double(
            Request(
                method=sent.method,
                path=self.path + sent.path,
                headers={name.encode(): value.encode() for name, value in headers.items()},
                body=sent.body,
                digest=hashlib.sha256(sent.body).digest(),
                number=1,
                due=lambda faults: faults,
            )
        )

    def answer(self, **fields: Any) -> tuple[Reply, str]:
        """Ask plain and streamed; give the plain reply and the text of the stream."""
        request = request_of(**fields)
        plain = self.ask(request)
        assert plain.status == 200, plain.body
        answer = UpstreamAnswer(status=200, headers={}, body=plain.body)
        reply = self.provider.parse_chat(request, self.target, answer)
        request = request_of(**fields, stream=True)
        events = self.ask(request).events
        assert events is not None
        stream = self.provider.open_chat_stream(request, self.target)
        relayed = b"".join(stream.feed(event + b"\n\n") for event in events).decode()
        assert (stream.finished, stream.failure, stream.usage) == (True, None, reply.usage)
        chunks = [json.loads(block[6:]) for block in relayed.split("\n\n")[:-1]]
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        thought = "".join(delta.get("reasoning_content", "") for delta in deltas)
        message = json.loads(reply.body)["choices"][0]["message"]
        assert thought == message.get("reasoning_content", "")
        return reply, "".join(delta.get("content", "") for delta in deltas)

    def failure(self, words: str) -> UpstreamFailure:
        """Ask for a fault; give what it is to us."""
        request = request_of(messages=[{"role": "user", "content": f"[[sandbox {words}]]"}])
        reply = self.ask(request)
        headers = {name.decode(): value.decode() for name, value in reply.headers}
        answer = UpstreamAnswer(status=reply.status, headers=headers, body=reply.body)
        with pytest.raises(UpstreamFailure) as failed:
            self.provider.parse_chat(request, self.target, answer)
        return failed.value


XAI = Speaker(
    provider=xai_provider.PROVIDER,
    double=xai.answer,
    path="/v1",
    target=Target(
        model="grok-4.3", drop_parameters=("stop", "presence_penalty", "frequency_penalty")
    ),
)
OPENROUTER = Speaker(
    provider=openrouter_provider.PROVIDER,
    double=openrouter.answer,
    path="/api/v1",
    target=Target(model="anthropic/claude-sonnet-5.5"),
)
both = pytest.mark.parametrize("speaker", [XAI, OPENROUTER], ids=["xai", "openrouter"])


@both
def test_whatever_is_asked_is_taken(speaker: Speaker) -> None:
    reply, said = speaker.answer(**EVERYTHING)
    assert said == json.loads(reply.body)["choices"][0]["message"]["content"]
    assert said == "The tool answered: 12"


@pytest.mark.parametrize(
    ("speaker", "cost_ucr"),
    [(XAI, 9 * 1_250 + 66 * 2_500), (OPENROUTER, 9 * 2_000 + 66 * 10_000)],
    ids=["xai", "openrouter"],
)
def test_reasoning_and_cost_arrive(speaker: Speaker, cost_ucr: int) -> None:
    reply, said = speaker.answer(reasoning_effort="low", max_tokens=66)
    assert (said, reply.finish_reason) == ("You said", "length")
    assert reply.usage == ChatUsage(
        input_tokens=9, output_tokens=66, reasoning_tokens=64, provider_cost_ucr=cost_ucr
    )


@both
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("status=400", "invalid_request_error"),
        ("status=401", "upstream_error"),
        ("status=404", "upstream_error"),
        ("status=429 retry_after=3", "upstream_overloaded"),
        ("status=500", "upstream_error"),
        ("status=504", "upstream_timeout"),
    ],
)
def test_errors_of_the_double_are_understood(speaker: Speaker, words: str, code: str) -> None:
    failure = speaker.failure(words)
    assert failure.code == code
    assert failure.retry_after_s == (3 if "retry_after" in words else None)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("status=402", "upstream_quota"),
        ("status=402 code=in_flight retry_after=3", "upstream_overloaded"),
        ("status=403 code=moderation", "invalid_request_error"),
        ("status=403 code=guardrail", "invalid_request_error"),
        ("status=403 code=key_limit", "upstream_quota"),
        ("status=403", "upstream_error"),
        ("error_event=0 code=429", "upstream_overloaded"),
        ("error_event code=402", "upstream_quota"),
    ],
)
def test_openrouters_two_meanings_are_told_apart(words: str, code: str) -> None:
    assert OPENROUTER.failure(words).code == code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("status=429 code=credits", "upstream_quota"),
        ("status=403 code=credits", "upstream_quota"),
        ("status=403 code=guidelines", "invalid_request_error"),
        ("status=403", "upstream_error"),
    ],
)
def test_xais_two_meanings_are_told_apart(words: str, code: str) -> None:
    assert XAI.failure(words).code == code
