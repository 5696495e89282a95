"""Servers that vanish when they are no longer needed, with a template database to clone.

For tests, benches and kill tests: `with throwaway_servers() as servers: servers.clone("name")`.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.places import CannotStart, load_secrets, prepare_data_dir, server_place
from studio.supervisor.plan import product_environment
from studio.supervisor.postgres import Postgres, start_postgres
from studio.supervisor.processes import stop
from studio.supervisor.valkey import Valkey, start_valkey

TEMPLATE = "studio_template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Throwaway:
    """Running servers whose data go away with them."""

    directory: Path
    secrets: Mapping[str, str]
    postgres: Postgres
    valkey: Valkey

    def environment(self, database: str, redis_number: int = 0) -> dict[str, str]:
        """Return the environment of a product process on one of the databases."""
        addresses = {
            "DATABASE_URL": self.postgres.url("studio_app", database),
            "DATABASE_OWNER_URL": self.postgres.url("studio_owner", database),
            "REDIS_URL": self.valkey.url(redis_number),
            "ASSETS_DIR": str(self.directory / "assets"),
        }
        return product_environment(os.environ, self.secrets, addresses)

    def make_template(self) -> None:
        """Migrate the template, load catalogue and prices. Raises: CannotStart with the output."""
        self.postgres.make_database(TEMPLATE)
        owner = {"DATABASE_URL": self.postgres.url("studio_owner", TEMPLATE)}
        done = subprocess.run(
            [sys.executable, "manage.py", "prepare_demo", "--only-data"],
            cwd=BASE_DIR,
            env=self.environment(TEMPLATE) | owner,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotStart(f"The template database cannot be made:\n{done.stderr}")

    def clone(self, name: str) -> None:
        """Make a database that equals the template, in place of one of that name."""
        self.postgres.psql(["-c", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'])
        clone = f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE} OWNER studio_owner'
        self.postgres.psql(["-c", clone])


@contextlib.contextmanager
def throwaway_servers(*, durable: bool = False) -> Iterator[Throwaway]:
    """Run PostgreSQL and Valkey in a temporary folder, for as long as the block lasts.

    `durable` keeps fsync on: for tests that kill PostgreSQL and look for what was acknowledged.
    """
    directory = Path(tempfile.mkdtemp(prefix="studio-throwaway-"))
    directory.chmod(0o711)
    data_dir = prepare_data_dir(directory)
    secrets = load_secrets(data_dir)
    place = server_place(data_dir)
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, directory, ignore_errors=True)
        if place.moved:
            undo.callback(shutil.rmtree, place.directory.parent, ignore_errors=True)
        valkey = start_valkey(place, secrets, directory)
        undo.callback(stop, [valkey.child])
        postgres = start_postgres(place, secrets, directory, durable=durable)
        undo.callback(stop, [postgres.child])
        yield Throwaway(directory=directory, secrets=secrets, postgres=postgres, valkey=valkey)
