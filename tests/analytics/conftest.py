"""Fixtures of analytics: a database of one's own, and connections to it.

cubes        the database; Django is pointed at it
cubes_app    a connection as the app's role
cubes_owner  a connection as the owner
"""

from collections.abc import Iterator

import psycopg
import pytest

from tests.analytics.cube_stage import Connection
from tests.databases import Database, django_on


@pytest.fixture
def cubes(fresh_database: Database) -> Iterator[Database]:
    """Give a database with nothing in its cubes."""
    with django_on(fresh_database):
        yield fresh_database


@pytest.fixture
def cubes_app(cubes: Database) -> Iterator[Connection]:
    """Connect as the app's role."""
    with psycopg.connect(cubes.app_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def cubes_owner(cubes: Database) -> Iterator[Connection]:
    """Connect as the owner."""
    with psycopg.connect(cubes.owner_url, autocommit=True) as connection:
        yield connection
