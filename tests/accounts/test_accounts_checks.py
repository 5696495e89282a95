"""System checks: what credentials depend on, what every process needs, and the database."""

import psycopg
import pytest
from django.core.checks import ERROR, WARNING
from django.db import connection
from pytest_django import Settings

from studio.accounts import checks
from studio.accounts.checks import check_credentials, check_database, check_process


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


@pytest.fixture
def process_settings(settings: Settings) -> Settings:
    """What a process in production has at least."""
    settings.DEBUG = False
    settings.SECRET_KEY = settings.VAULT_SECRET = "c3" * 16
    settings.ALLOWED_HOSTS = ["studio.test"]
    return settings


def test_a_process_with_two_secrets_and_a_name_passes(process_settings: Settings) -> None:
    assert check_process(None) == []


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("SECRET_KEY", "", "studio.E001"),
        ("SECRET_KEY", "x" * 31, "studio.E001"),
        ("SECRET_KEY", "django-insecure-" + "x" * 50, "studio.E001"),
        ("VAULT_SECRET", "", "studio.E002"),
        ("VAULT_SECRET", "x" * 31, "studio.E002"),
        ("ALLOWED_HOSTS", [], "studio.E003"),
    ],
)
def test_a_process_without_what_it_needs_does_not_start(
    process_settings: Settings, name: str, value: object, found: str
) -> None:
    setattr(process_settings, name, value)
    assert [(message.id, message.level) for message in check_process(None)] == [(found, ERROR)]
    process_settings.DEBUG = True
    assert [message.level for message in check_process(None)] == [WARNING]


def test_a_good_database_passes(db: None) -> None:
    assert check_database(None, databases=["default"]) == []


def test_a_database_that_nobody_names_is_not_asked() -> None:
    assert check_database(None) == []


def test_a_database_that_does_not_answer_is_no_fault(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    assert check_database(None, databases=["default"]) == []


def test_an_old_postgres_is_refused(
    db: None, process_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "OLDEST_POSTGRES", 990_000)
    faults = check_database(None, databases=["default"])
    assert [(fault.id, fault.level) for fault in faults] == [("studio.E004", ERROR)]


def test_running_as_the_ledger_s_owner_is_only_a_warning(
    db: None, process_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = psycopg.conninfo.conninfo_to_dict(process_settings.DATABASE_OWNER_URL)
    monkeypatch.setitem(connection.settings_dict, "USER", owner["user"])
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", owner["password"])
    faults = check_database(None, databases=["default"])
    assert [(fault.id, fault.level) for fault in faults] == [("studio.W001", WARNING)]
