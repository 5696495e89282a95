"""System checks of the settings that credentials depend on."""

import pytest
from django.core.checks import ERROR, WARNING
from pytest_django import Settings

from studio.accounts.checks import check_credentials


def _ids() -> list[str]:
    return [message.id or "" for message in check_credentials(None)]


def test_good_settings_pass(settings: Settings) -> None:
    settings.APP_KEY = "a-static-key-of-ours"
    assert _ids() == []


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("APP_KEY_PEPPERS", {}, ["accounts.E001"]),
        ("APP_KEY_PEPPERS", {1: "a1" * 32, 2: "x" * 31}, ["accounts.E002"]),
        ("APP_KEY_PEPPERS", {1: ""}, ["accounts.E002"]),
        ("APP_JWT_SECRET", "x" * 31, ["accounts.E003"]),
        ("APP_JWT_SECRET", "x" * 32, []),
        ("APP_JWT_SECRET", "", []),
        ("APP_KEY", "short", ["accounts.E004"]),
        ("APP_KEY", "schlüssel-mit-umlaut", ["accounts.E004"]),
        ("APP_KEY", " spaces-around-the-key ", ["accounts.E004"]),
        ("APP_KEY", "a" * 8193, ["accounts.E004"]),
    ],
)
def test_bad_setting_is_named(
    settings: Settings, name: str, value: object, found: list[str]
) -> None:
    setattr(settings, name, value)
    assert _ids() == found


@pytest.mark.parametrize(("debug", "level"), [(True, WARNING), (False, ERROR)])
def test_faults_are_fatal_when_debug_is_off(settings: Settings, debug: bool, level: int) -> None:
    settings.DEBUG = debug
    settings.APP_KEY_PEPPERS = {}
    assert [message.level for message in check_credentials(None)] == [level]


def test_no_message_shows_a_secret(settings: Settings) -> None:
    settings.APP_KEY_PEPPERS = {1: "pepper-canary"}
    settings.APP_JWT_SECRET, settings.APP_KEY = "secret-canary", "key-canary"
    text = " ".join(f"{message.msg} {message.hint}" for message in check_credentials(None))
    assert "canary" not in text
