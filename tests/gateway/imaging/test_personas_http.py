"""Personas: a workspace's brands, and pictures that keep to them."""

from typing import Any

import pytest
import requests
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from gateway.models import Persona
from tests.gateway.conftest import MakePayer, Payer
from tests.gateway.imaging.create_stage import create

PERSONAS = "/api/image-studio/personas"
ACME = {
    "name": "Acme",
    "tone": "calm and precise",
    "colors": ["#112233", "#aabbcc"],
    "style_words": ["warm", "plain"],
    "avoid_words": ["neon"],
}


def add(payer: Payer, **body: Any) -> Any:
    """Write down a persona and give it."""
    answer = payer.post(PERSONAS, json={**ACME, **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def send(payer: Payer, method: str, path: str, **options: Any) -> requests.Response:
    """Send a request of any method with the key."""
    return requests.request(
        method, payer.url + path, headers={"x-app-key": payer.key}, timeout=30, **options
    )


def put(payer: Payer, persona_id: str, **body: Any) -> Any:
    """Send a persona's whole body under its id."""
    return send(payer, "PUT", f"{PERSONAS}/{persona_id}", json=body)


def test_a_persona_is_written_read_changed_and_forgotten(payer: Payer) -> None:
    made = add(payer)
    assert made["id"].startswith("persona_")
    assert {name: made[name] for name in ACME} == {**ACME, "colors": ["#112233", "#AABBCC"]}
    assert made["is_default"] is False
    address = f"{PERSONAS}/{made['id']}"
    assert payer.get(address).json() == made
    assert payer.get(PERSONAS).json() == {"personas": [made], "total": 1}
    changed = send(payer, "PUT", address, json={"name": "Acme 2", "is_default": True})
    assert changed.status_code == 200
    assert changed.json()["style_words"] == []
    assert changed.json()["is_default"] is True
    assert send(payer, "DELETE", address).status_code == 204
    for method in ("GET", "DELETE"):
        answer = send(payer, method, address)
        assert (answer.status_code, answer.json()) == (
            404,
            {"detail": "There is no such persona."},
        )
    assert payer.get(PERSONAS).json() == {"personas": [], "total": 0}


def test_there_is_one_default_and_the_last_one_named_is_it(payer: Payer) -> None:
    first = add(payer, name="one", is_default=True)
    second = add(payer, name="two", is_default=True)
    found = {one["id"]: one["is_default"] for one in payer.get(PERSONAS).json()["personas"]}
    assert found == {first["id"]: False, second["id"]: True}


def test_another_workspace_s_persona_is_not_found(payer: Payer, make_payer: MakePayer) -> None:
    made = add(payer)
    stranger = make_payer()
    address = f"{PERSONAS}/{made['id']}"
    for method, body in (("GET", None), ("PUT", {"name": "mine"}), ("DELETE", None)):
        assert send(stranger, method, address, json=body).status_code == 404
    assert create(stranger, use_persona=True, persona_id=made["id"]).status_code == 404
    assert stranger.get(PERSONAS).json() == {"personas": [], "total": 0}
    assert payer.get(address).json() == made


def test_two_personas_of_a_workspace_have_two_names(payer: Payer, make_payer: MakePayer) -> None:
    add(payer)
    answer = payer.post(PERSONAS, json=ACME)
    assert answer.status_code == 409
    other = add(payer, name="Other")
    assert put(payer, other["id"], name="Acme").status_code == 409
    assert payer.get(PERSONAS).json()["total"] == 2
    assert make_payer().post(PERSONAS, json=ACME).status_code == 201


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "Acme\nBrand: none"}, "name"),
        ({"name": "Acme", "colors": ["red"]}, "colors"),
        ({"name": "Acme", "colors": ["#12345"]}, "colors"),
        ({"name": "Acme", "colors": ["#112233\n"]}, "colors"),
        ({"name": "Acme", "tone": "x" * 201}, "tone"),
        ({"name": "Acme", "style_words": ["a\u202eb"]}, "style_words"),
        ({"name": "Acme", "avoid_words": [""]}, "avoid_words"),
        ({"name": "Acme", "font": "Arial"}, "font"),
    ],
)
def test_a_persona_that_is_none_is_refused_by_name(
    payer: Payer, body: dict[str, Any], named: str
) -> None:
    answer = payer.post(PERSONAS, json=body)
    assert answer.status_code == 400
    assert named in answer.json()["detail"]
    assert payer.get(PERSONAS).json()["total"] == 0


def test_a_key_needs_the_scope_for_images(make_payer: MakePayer) -> None:
    caller = make_payer(scopes=["chat"])
    assert caller.get(PERSONAS).status_code == 403
    assert caller.post(PERSONAS, json=ACME).status_code == 403


def test_pictures_keep_to_a_persona_in_the_enhanced_prompt(media_payer: Payer) -> None:
    made = add(media_payer, is_default=True)
    named = create(
        media_payer,
        use_persona=True,
        persona_id=made["id"],
        enhance_prompt=True,
        width=256,
        height=256,
    )
    assert named.status_code == 200, named.text[:300]
    request = named.json()["request"]
    assert request["persona_id"] == made["id"]
    assert request["enhanced_prompt"].endswith(
        "Brand style: warm, plain; tone: calm and precise; colours: #112233, #AABBCC."
    )


def test_the_default_persona_changes_the_picture_of_a_plain_prompt(media_payer: Payer) -> None:
    made = add(media_payer, is_default=True)
    options: dict[str, Any] = {
        "provider": "stability",
        "model": "core",
        "seed": 3,
        "width": 256,
        "height": 256,
    }
    plain = create(media_payer, **options)
    branded = create(media_payer, use_persona=True, **options)
    assert (plain.status_code, branded.status_code) == (200, 200)
    assert branded.json()["request"]["persona_id"] == made["id"]
    assert branded.json()["request"]["enhanced_prompt"] is None
    assert plain.json()["results"] != branded.json()["results"]


def test_staff_find_and_forget_personas(open_database: None, payer: Payer) -> None:
    made = add(payer, style_words=["<b>bold</b>"])
    user = User.objects.create_user("personas", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=("view_persona", "delete_persona"))
    )
    client = Client()
    client.force_login(user)
    listed = client.get(reverse("admin:gateway_persona_changelist"), {"q": payer.workspace_id})
    assert b"Acme" in listed.content
    persona = Persona.objects.get(workspace_id=payer.workspace_id)
    page = client.get(reverse("admin:gateway_persona_change", args=[persona.pk]))
    assert made["id"].encode() in page.content
    assert b"<b>bold</b>" not in page.content
    client.post(reverse("admin:gateway_persona_delete", args=[persona.pk]), {"post": "yes"})
    assert payer.get(f"{PERSONAS}/{made['id']}").status_code == 404
