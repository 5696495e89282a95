"""What `up` starts with which environment."""

from pathlib import Path

import pytest

from studio.supervisor import plan
from studio.supervisor.places import CannotStart

SECRETS = {
    "SECRET_KEY": "generated-key",
    "APP_KEY_PEPPERS": "1=generated",
    "VAULT_SECRET": "generated-vault",
    "APP_JWT_SECRET": "generated-jwt",
    "POSTGRES_PASSWORD": "never-handed-on",
}


def test_what_the_environment_leaves_open_is_filled() -> None:
    filled = plan.product_environment({"PATH": "/bin"}, SECRETS, {"REDIS_URL": "redis://ours"})
    assert filled == {
        "PATH": "/bin",
        "DEBUG": "1",
        "PREVIEWS_WORKSPACE": "demo",
        "SECRET_KEY": "generated-key",
        "APP_KEY_PEPPERS": "1=generated",
        "VAULT_SECRET": "generated-vault",
        "APP_JWT_SECRET": "generated-jwt",
        "REDIS_URL": "redis://ours",
        "DJANGO_SETTINGS_MODULE": "studio.settings",
        "PYTHONUNBUFFERED": "1",
    }


def test_a_given_secret_is_kept_also_as_a_file() -> None:
    given = {"SECRET_KEY": "mine", "VAULT_SECRET_FILE": "/run/secrets/vault", "DEBUG": "0"}
    filled = plan.product_environment(given, SECRETS, {})
    assert filled["SECRET_KEY"] == "mine"
    assert filled["DEBUG"] == "0"
    assert "VAULT_SECRET" not in filled


@pytest.mark.parametrize("debug", ["0", "false", "False", "off", "no"])
def test_embedded_servers_are_refused_without_debug(debug: str) -> None:
    with pytest.raises(CannotStart, match="embedded servers are for development"):
        plan.check_embedded_allowed({"DEBUG": debug})


@pytest.mark.parametrize(
    "environment", [{}, {"DEBUG": "1"}, {"DEBUG": "true"}, {"DEBUG": "0", "STUDIO_EMBEDDED": "1"}]
)
def test_embedded_servers_are_allowed_in_development_or_when_asked_for(
    environment: dict[str, str],
) -> None:
    plan.check_embedded_allowed(environment)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104  # a text, nothing listens
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("studio.test", "http://studio.test:8000"),
    ],
)
def test_base_url_can_be_called_from_this_machine(host: str, url: str) -> None:
    made = plan.Plan(data_dir=Path("/data"), host=host, port=8000, environment={})
    assert made.base_url == url


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "the sandbox, no real model (OPENAI_API_KEY is not set)"),
        (
            {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "https://proxy.test/v1"},
            "https://proxy.test/v1 (OPENAI_API_KEY and OPENAI_BASE_URL are set)",
        ),
        ({"OPENAI_API_KEY": "sk-1"}, "OpenAI itself (OPENAI_API_KEY is set)"),
        ({"OPENAI_API_KEY_FILE": "/key"}, "OpenAI itself (OPENAI_API_KEY is set)"),
    ],
)
def test_it_is_said_who_answers(environment: dict[str, str], words: str) -> None:
    assert plan.who_answers(environment) == words


def test_the_sandbox_s_stripe_stands_in_while_developing() -> None:
    wired = plan.sandbox_payments({}, 9100)
    assert wired["STRIPE_API_BASE"] == "http://127.0.0.1:9100/stripe"
    assert wired["STRIPE_SECRET_KEY"].startswith("sk_test_sandbox_")
    assert wired["STRIPE_WEBHOOK_SECRET"].startswith("whsec_sandbox_")
    assert plan.sandbox_payments({}, 9100) != wired
    environment = wired | {"SANDBOX_URL": "http://127.0.0.1:9100"}
    made = plan.Plan(data_dir=Path("/data"), host="::", port=8000, environment=environment)
    assert made.sandbox(9100).command[-2:] == [
        "--stripe-webhooks",
        "http://[::1]:8000/v1/stripe/webhook",
    ]
    assert "no money moves" in plan.who_is_paid(environment)


@pytest.mark.parametrize(
    "environment",
    [
        {"STRIPE_SECRET_KEY": "sk_test_mine"},
        {"STRIPE_SECRET_KEY_FILE": "/key"},
        {"DEBUG": "0", "STUDIO_EMBEDDED": "1"},
    ],
)
def test_the_sandbox_s_stripe_stands_in_for_nobody_else(environment: dict[str, str]) -> None:
    assert plan.sandbox_payments(environment, 9100) == {}
    made = plan.Plan(data_dir=Path("/data"), host="::", port=8000, environment=environment)
    assert "--stripe-webhooks" not in made.sandbox(9100).command


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "are off (STRIPE_SECRET_KEY is not set)"),
        ({"STRIPE_SECRET_KEY": "sk_test_1"}, "go to Stripe itself (STRIPE_SECRET_KEY is set)"),
        (
            {"STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_API_BASE": "https://proxy.test"},
            "go to https://proxy.test (STRIPE_SECRET_KEY is set)",
        ),
    ],
)
def test_it_is_said_who_is_paid(environment: dict[str, str], words: str) -> None:
    assert plan.who_is_paid(environment) == words
