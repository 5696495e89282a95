"""What can be checked of the image and of compose without an engine."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def test_every_value_that_compose_demands_is_in_its_example() -> None:
    demanded = set(re.findall(r"\$\{(\w+):\?\}", COMPOSE))
    example = (ROOT / "deploy" / "compose.env.example").read_text()
    assert demanded <= set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_every_service_that_compose_runs_reports_its_health() -> None:
    services = re.split(
        r"^  (?=\w+:$)",
        COMPOSE.split("\nservices:\n")[1].split("\nvolumes:\n")[0],
        flags=re.MULTILINE,
    )
    silent = [
        service.split(":")[0]
        for service in services
        if service.strip() and "healthcheck:" not in service and 'restart: "no"' not in service
    ]
    assert silent == []


def test_files_that_the_image_copies_exist_and_are_let_in() -> None:
    allowed = (ROOT / ".dockerignore").read_text().split()
    assert allowed[0] == "**"
    for line in allowed[1:]:
        if line.startswith("!"):
            assert (ROOT / line[1:]).exists()
    for source in re.findall(r"^COPY (\w[\w.]*) ", DOCKERFILE, re.MULTILINE):
        assert f"!{source}" in allowed


def test_the_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["studio"]
    assert DOCKERFILE.index("\nUSER ") < DOCKERFILE.index("\nCMD ")


def test_the_image_installs_by_hash_alone() -> None:
    installs = re.findall(r"pip install .*", DOCKERFILE)
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
