"""Messages that claim to be Replicate's."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

import pytest

from gateway.providers.replicate import PROVIDER
from tests.gateway.replicate_runs import ID, recorded

SECRET = "whsec_" + base64.b64encode(b"a signing secret").decode()
NOW_S = 1_790_000_000


def signed(body: bytes, *, at: int = NOW_S, secret: str = SECRET) -> dict[str, str]:
    """Sign a message as Replicate does."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, b"msg_1.%d." % at + body, hashlib.sha256).digest()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def genuine(headers: Mapping[str, str], body: bytes = b"{}", secret: str = SECRET) -> bool:
    """Ask whether a message is genuine, at this moment."""
    return PROVIDER.is_genuine(headers, body, secret=secret, now_s=NOW_S)


def test_a_signed_message_is_genuine() -> None:
    body = recorded("succeeded")
    assert genuine(signed(body), body)
    assert PROVIDER.upstream_id_of(body) == ID


def test_any_of_several_signatures_will_do() -> None:
    headers = signed(b"{}")
    true = headers["webhook-signature"]
    headers["webhook-signature"] = f"v1,{'A' * 43}= {true} v2,what"
    assert genuine(headers)
    headers["webhook-signature"] = true.replace("v1,", "v2,")
    assert not genuine(headers)
    headers["webhook-signature"] = " ".join(["v1,x"] * 16 + [true])
    assert not genuine(headers)


def test_a_message_is_too_old_or_too_early_beyond_five_minutes() -> None:
    ages = [-301, -300, 0, 300, 301]
    found = [genuine(signed(b"{}", at=NOW_S + age)) for age in ages]
    assert found == [False, True, True, True, False]


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, "", "x", "1e9", "-5", "v1", "v1,", "\ud800", "9" * 13])
def test_a_message_with_a_spoiled_header_is_not_genuine(name: str, value: str | None) -> None:
    headers = signed(b"{}")
    if value is None:
        del headers[name]
    else:
        headers[name] = value
    assert not genuine(headers)


def test_another_body_or_another_secret_is_not_genuine() -> None:
    other = "whsec_" + base64.b64encode(b"another secret").decode()
    assert not genuine(signed(b"{}"), b"{} ")
    assert not genuine(signed(b"{}", secret=other))
    assert genuine(signed(b"{}", secret=other), secret=other)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_@@@", "whsec_é", "sk_YWJj", "YWJj"])
def test_a_secret_that_is_none_makes_nothing_genuine(secret: str) -> None:
    headers = signed(b"{}")
    mac = hmac.new(b"", b"msg_1.%d.{}" % NOW_S, hashlib.sha256).digest()
    headers["webhook-signature"] = f"v1,{base64.b64encode(mac).decode()}"
    assert not genuine(headers, secret=secret)
