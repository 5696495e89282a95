"""The last line against secrets in text."""

import pytest

from studio.core.redaction import clean_provider_message, redact


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop",
        "sk-ant-api03-abcdefghijklmnop",
        "r8_abcdefghijklmnop",
        "sk_live_abcdefghijklmnop",
        "rk_test_abcdefghijklmnop",
        "xai-abcdefghijklmnop",
        "gw_live_abcdefghijklmnop",
        "gws_abcdefghijklmnop",
        "whsec_abcdefghijklmnop",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
        "Bearer abcdefghijklmnop",
    ],
)
def test_what_looks_like_a_credential_is_replaced(secret: str) -> None:
    assert redact(f"key {secret} is wrong") == "key [redacted] is wrong"


def test_a_provider_s_message_loses_addresses_and_length() -> None:
    text = "see https://api.example.com/docs\nor  " + "x" * 1000
    cleaned = clean_provider_message(text)
    assert cleaned.startswith("see [link] or xxx")
    assert len(cleaned) == 500
