"""Fixtures for all tests: cloned databases, the sandbox, gateway processes.

db                  (pytest-django) one transaction on the worker's clone, rolled back
fresh_database      a clone of one's own, for tests that commit, inside django_on(it)
sandbox_url         the upstream sandbox, one process per worker
gateway_database    the clone gateway_url works on; write to it inside django_on(it)
gateway_url         a gateway, one process per worker
start_gateway       start more of them, on any database: start_gateway(database, NAME="value").url
free_port           a port nobody uses

"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from studio.supervisor import processes
from tests.databases import MISSING, WORKER, Database, Facts, cloned, facts, forget_connections
from tests.running import Gateway, run_gateway, run_sandbox

_numbers = itertools.count(1)
StartGateway = Callable[..., Gateway]


@pytest.fixture(scope="session")
def server_facts() -> Facts:
    """Where the servers are; without them the whole run stops, with one sentence."""
    found = facts()
    if found is None:
        pytest.exit(MISSING, returncode=pytest.ExitCode.USAGE_ERROR)
    return found


@pytest.fixture(scope="session")
def django_db_setup(server_facts: Facts, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Replace pytest-django's set-up: the worker's database is a clone, nothing is flushed."""
    with cloned(server_facts, f"studio_test_{WORKER}"):
        yield
        with django_db_blocker.unblock():
            forget_connections()


@pytest.fixture
def fresh_database(server_facts: Facts, django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    """Give a test that commits a database of its own."""
    name = f"studio_test_{WORKER}_{next(_numbers)}"
    with cloned(server_facts, name) as database, django_db_blocker.unblock():
        yield database


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the upstream sandbox."""
    url, child = run_sandbox(tmp_path_factory.mktemp("sandbox"))
    yield url
    processes.stop([child])


@pytest.fixture(scope="session")
def gateway_environment(server_facts: Facts, sandbox_url: str) -> dict[str, str]:
    """What a gateway process under test needs beside its database."""
    return {
        "REDIS_URL": server_facts.redis_url,
        "SANDBOX_URL": sandbox_url,
        "OPENAI_BASE_URL": f"{sandbox_url}/openai/v1",
        "OPENAI_API_KEY": "sk-sandbox-tests",
    }


@pytest.fixture(scope="session")
def gateway_database(server_facts: Facts) -> Iterator[Database]:
    """The database of the gateway that all tests of a worker share."""
    with cloned(server_facts, f"studio_test_{WORKER}_gateway") as database:
        yield database


@pytest.fixture(scope="session")
def gateway_url(
    gateway_database: Database,
    gateway_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Run a gateway that talks to the sandbox."""
    environment = gateway_environment | _urls(gateway_database)
    gateway = run_gateway(tmp_path_factory.mktemp("gateway"), environment)
    yield gateway.url
    gateway.stop()


@pytest.fixture
def start_gateway(gateway_environment: dict[str, str], tmp_path: Path) -> Iterator[StartGateway]:
    """Start gateways of one's own: several on one database, or one to kill."""
    with ExitStack() as undo:

        def start(database: Database, **environment: str) -> Gateway:
            directory = tmp_path / f"gateway-{next(_numbers)}"
            directory.mkdir()
            settings = gateway_environment | _urls(database) | environment
            gateway = run_gateway(directory, settings)
            undo.callback(gateway.stop)
            return gateway

        yield start


@pytest.fixture
def free_port() -> int:
    """A TCP port that nobody uses."""
    return processes.free_port()


def _urls(database: Database) -> dict[str, str]:
    return {"DATABASE_URL": database.app_url, "DATABASE_OWNER_URL": database.owner_url}
