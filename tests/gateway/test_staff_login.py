"""Guessing passwords at the admin's login: counted per account and per address, answered alike."""

import re
from dataclasses import dataclass
from uuid import uuid4

import pytest
import requests
from django.contrib.auth.models import User
from django.test import Client

from gateway.surfaces.staff_login import ATTEMPTS_PER_ACCOUNT, ATTEMPTS_PER_ADDRESS
from tests.conftest import StartGateway
from tests.databases import Database, django_on

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, kw_only=True)
class Door:
    """The login of a gateway behind a proxy that says where a request comes from."""

    url: str
    person: str

    def try_it(self, name: str, password: str, *, address: str) -> requests.Response:
        """Try a password once, as a browser does."""
        with requests.Session() as browser:
            browser.headers["x-forwarded-for"] = address
            page = browser.get(f"{self.url}/admin/login/", timeout=30)
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
            assert token is not None, page.text
            given = {"csrfmiddlewaretoken": token[1], "username": name, "password": password}
            return browser.post(
                f"{self.url}/admin/login/?next=/admin/",
                data=given,
                allow_redirects=False,
                timeout=30,
            )


@pytest.fixture
def door(fresh_database: Database, start_gateway: StartGateway) -> Door:
    """A gateway with one person of ours."""
    person = f"ann-{uuid4()}"  # counts in Redis outlive a test
    with django_on(fresh_database):
        User.objects.create_superuser(person, password=PASSWORD)
    gateway = start_gateway(fresh_database, TRUSTED_PROXY_HOPS="1")
    return Door(url=gateway.url, person=person)


def somewhere() -> str:
    """Give an address that nobody has used."""
    return f"2001:db8::{uuid4().hex[:4]}:{uuid4().hex[:4]}"


def test_an_account_is_tried_so_often_from_wherever_and_known_or_not_the_answer_is_one(
    door: Door,
) -> None:
    stranger = f"nobody-{uuid4()}"
    told = []
    for name in (door.person, stranger):
        for _ in range(ATTEMPTS_PER_ACCOUNT):
            assert door.try_it(name, "wrong", address=somewhere()).status_code == 200
        for given, password in ((name, "wrong"), (name.upper(), PASSWORD), (name, PASSWORD)):
            refused = door.try_it(given, password, address=somewhere())
            told.append((refused.status_code, refused.headers["retry-after"], refused.content))
            assert "sessionid" not in refused.cookies
    assert set(told) == {
        (429, "900", b"Too many attempts to log in. Wait fifteen minutes, then try again.\n")
    }


def test_an_address_tries_so_often_whatever_account_and_another_one_goes_on(door: Door) -> None:
    address = somewhere()
    for _ in range(ATTEMPTS_PER_ADDRESS):
        assert door.try_it(f"nobody-{uuid4()}", "wrong", address=address).status_code == 200
    assert door.try_it(door.person, PASSWORD, address=address).status_code == 429
    entered = door.try_it(door.person, PASSWORD, address=somewhere())
    assert (entered.status_code, entered.headers["location"]) == (302, "/admin/")


def test_without_a_process_s_limiter_it_counts_by_itself(db: None) -> None:
    User.objects.create_superuser("ann", password=PASSWORD)
    client = Client()
    wrong = {"username": "ann", "password": "wrong"}
    for place in range(ATTEMPTS_PER_ACCOUNT):
        tried = client.post("/admin/login/", wrong, REMOTE_ADDR=f"192.0.2.{place}")
        assert tried.status_code == 200
    right = {"username": "ann", "password": PASSWORD}
    refused = client.post("/admin/login/", right, REMOTE_ADDR="192.0.2.99")
    assert (refused.status_code, "sessionid" in client.cookies) == (429, False)
    assert client.get("/admin/login/").status_code == 200
