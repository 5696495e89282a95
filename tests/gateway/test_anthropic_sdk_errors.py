"""What the gateway refuses or fails in is raised by Anthropic's SDK as its own errors."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import anthropic
import pytest

from studio.accounts.models import Tier
from tests.gateway.anthropic_client import CLAUDE, OPENAI, ask, sdk, text_of, user
from tests.gateway.conftest import Payer

MakePayer = Callable[..., Payer]


@pytest.fixture
def client(payer: Payer) -> Iterator[anthropic.Anthropic]:
    """The payer's client."""
    with sdk(payer) as made:
        yield made


def refused(
    client: anthropic.Anthropic, expected: type[anthropic.APIStatusError], **fields: Any
) -> anthropic.APIStatusError:
    """Ask and be refused; the refusal names the request."""
    with pytest.raises(expected) as caught:
        ask(client, fields.pop("content", "Hi"), **fields)
    error = caught.value
    assert type(error) is expected
    assert isinstance(error.body, dict)
    assert error.body["request_id"] == error.request_id == error.response.headers["x-request-id"]
    return error


def test_a_bad_field_is_a_bad_request_and_is_named(
    client: anthropic.Anthropic, payer: Payer
) -> None:
    error = refused(client, anthropic.BadRequestError, extra_body={"temperature": 3})
    assert (error.type, error.error_code) == ("invalid_request_error", "invalid_request_error")
    assert (error.api_message or "").startswith("temperature: ")
    tools = [{"type": "web_search_20260318", "name": "web_search"}]
    error = refused(client, anthropic.BadRequestError, tools=tools)
    assert "web_search_20260318" in (error.api_message or "")
    assert payer.entries() == []


def test_an_unknown_model_is_not_found(client: anthropic.Anthropic, payer: Payer) -> None:
    error = refused(client, anthropic.NotFoundError, model="llama-3")
    assert (error.type, error.error_code) == ("not_found_error", "model_not_found")
    assert payer.entries() == []


@pytest.mark.parametrize("key", ["gw_live_" + "A" * 60, "sk-ant-somebody-else-s"])
def test_a_key_that_is_none_of_ours_is_an_authentication_error(payer: Payer, key: str) -> None:
    with sdk(payer, api_key=key) as client:
        error = refused(client, anthropic.AuthenticationError)
    assert error.type == "authentication_error"
    assert key not in str(error)


def test_a_missing_scope_is_a_permission_error(make_payer: MakePayer) -> None:
    with sdk(make_payer(scopes=["models"])) as client:
        assert refused(client, anthropic.PermissionDeniedError).type == "permission_error"
        with pytest.raises(anthropic.PermissionDeniedError):
            client.messages.count_tokens(model=OPENAI, messages=[user("Hi")])


def test_an_empty_wallet_is_a_payment_required_error(make_payer: MakePayer) -> None:
    with sdk(make_payer(credits=0)) as client:
        error = refused(client, anthropic.PaymentRequiredError)
    assert (error.type, error.error_code) == ("billing_error", "insufficient_credits")


def test_a_body_that_is_too_large_or_used_twice_has_its_own_error(
    client: anthropic.Anthropic, payer: Payer
) -> None:
    error = refused(client, anthropic.ContentTooLargeError, content="x" * (2 * 1024 * 1024))
    assert str(error.type) == "request_too_large"
    assert payer.entries() == []
    once = {"idempotency-key": str(uuid4())}
    ask(client, "One", extra_headers=once)
    error = refused(client, anthropic.UnprocessableEntityError, content="Two", extra_headers=once)
    assert (error.type, error.error_code) == ("invalid_request_error", "idempotency_mismatch")


def one_at_a_time(window_s: int) -> str:
    """Make a tier that lets one request through in a window. Returns: its slug."""
    facts = {"request_limit": 1, "window_s": window_s, "concurrency_limit": 5, "markup_bp": 0}
    slug = f"one-in-{window_s}"
    Tier.objects.get_or_create(
        slug=slug, defaults={"name": slug, "default_max_tokens": 256, **facts}
    )
    return slug


def test_our_own_limit_is_a_rate_limit_error(make_payer: MakePayer) -> None:
    with sdk(make_payer(tier=one_at_a_time(900))) as client:
        ask(client, "Hi")
        error = refused(client, anthropic.RateLimitError)
    assert error.type == "rate_limit_error"
    assert int(error.response.headers["retry-after"]) >= 1


def test_the_sdk_waits_out_our_limit_and_tries_again(make_payer: MakePayer) -> None:
    payer = make_payer(tier=one_at_a_time(1))
    with sdk(payer, max_retries=3) as client:
        ask(client, "One")
        raw = client.messages.with_raw_response.create(
            model=OPENAI, max_tokens=256, messages=[user("Two")]
        )
    assert text_of(raw.parse()).startswith("You said: “Two”.")
    assert len(payer.usage()) >= 2


@pytest.mark.parametrize(
    ("fault", "expected", "kind"),
    [
        ("status=500", anthropic.InternalServerError, "api_error"),
        ("status=429 retry_after=3", anthropic.ServiceUnavailableError, "overloaded_error"),
        ("status=529", anthropic.ServiceUnavailableError, "overloaded_error"),
    ],
)
def test_what_fails_behind_us_is_a_server_error(
    client: anthropic.Anthropic,
    payer: Payer,
    fault: str,
    expected: type[anthropic.APIStatusError],
    kind: str,
) -> None:
    assert refused(client, expected, content=f"[[sandbox {fault}]]").type == kind
    assert payer.balance() == (1_000_000_000, 0)


def test_the_sdk_s_own_retry_after_a_failure_is_charged_once(payer: Payer) -> None:
    with sdk(payer, max_retries=1) as client:
        assert text_of(ask(client, f"[[sandbox status=500 times=1 tag={uuid4()}]] again"))
    assert payer.usage()[-1]["status"] == "succeeded"
    assert [entry["kind"] for entry in payer.entries()].count("usage") == 1


@pytest.mark.parametrize("model", [OPENAI, CLAUDE])
def test_an_error_in_mid_stream_is_raised_to_the_reader(
    client: anthropic.Anthropic, payer: Payer, model: str
) -> None:
    content = "[[sandbox chunks=20 error_event=8 chunk_delay_ms=20]]"
    with (
        client.messages.stream(model=model, max_tokens=256, messages=[user(content)]) as stream,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        list(stream)
    assert caught.value.type in ("api_error", "overloaded_error")
    assert payer.usage()[0]["status"] == "interrupted"
