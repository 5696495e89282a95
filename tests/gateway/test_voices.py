"""The voices as data: their file, its loading beside staff's edits, and staff's pages."""

import json
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gateway.catalogue.snapshot import read_revision
from gateway.models import CatalogueChange, Voice, VoicePreview
from gateway.providers.elevenlabs_speech import VOICES as ELEVENLABS
from gateway.providers.openai_speech import VOICES as OPENAI
from gateway.voices.file import VOICES_FILE, VoicesFileInvalid, read_voices_file
from gateway.voices.loader import load_voices
from gateway.voices.previews import previews_wanted

ORPHEUS = ["tara", "leah", "jess", "leo", "dan", "mia", "zac", "zoe"]
TAGS = {"laugh", "chuckle", "sigh", "cough", "sniffle", "groan", "yawn", "gasp"}


def voices_of(provider: str) -> dict[str, str]:
    found = read_voices_file().voices.items()
    return {slug: voice.provider_voice for slug, voice in found if voice.provider == provider}


@pytest.fixture
def staff(db: None) -> Client:
    load_voices()
    client = Client()
    client.force_login(User.objects.create_superuser("ada", "ada@example.com", "a-long-password"))
    return client


def test_the_file_has_the_voices_that_providers_know() -> None:
    assert list(voices_of("baseten")) == ORPHEUS
    assert set(voices_of("openai").values()) == set(OPENAI)
    assert voices_of("elevenlabs") == dict(ELEVENLABS)


def test_every_emotion_is_a_tag_that_the_model_has_or_nothing() -> None:
    for words in read_voices_file().emotions.values():
        assert set(words.values()) <= {"", *(f"<{tag}>" for tag in TAGS)}
        assert {"happy", "sad", "excited", "neutral"} <= set(words)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gender": "loud"}, "gender"),
        ({"emotions": "unheard"}, "emotions unheard"),
        ({"provider_voice": "leah"}, "the same voice"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    tmp_path: Path, change: dict[str, str], said: str
) -> None:
    document = json.loads(VOICES_FILE.read_text())
    document["voices"]["tara"] |= change
    path = tmp_path / "voices.json"
    path.write_text(json.dumps(document))
    with pytest.raises(VoicesFileInvalid, match=said):
        read_voices_file(path)


@pytest.mark.django_db
def test_loading_is_safe_to_repeat_and_moves_the_revision_once() -> None:
    Voice.objects.all().delete()
    before = read_revision()
    assert load_voices().written == len(read_voices_file().voices)
    loaded = read_revision()
    again = load_voices()
    assert (again.written, again.removed, again.kept) == (0, 0, 0)
    assert before < loaded == read_revision()


@pytest.mark.django_db
def test_what_staff_edited_the_file_leaves_alone(staff: Client) -> None:
    tara = Voice.objects.get(slug="tara")
    url = reverse("admin:gateway_voice_change", args=[tara.pk])
    fields = ("slug", "name", "provider", "provider_voice", "language", "gender", "archetype")
    form = {name: getattr(tara, name) for name in (*fields, "use", "example_text", "source")}
    form |= {"characteristics": '["warm"]', "emotions": '{"sad": "<sigh>"}', "position": 0}
    assert staff.post(url, form).status_code == 302
    assert load_voices().kept == 1
    tara.refresh_from_db()
    assert (tara.enabled, tara.characteristics, tara.emotions) == (
        False,
        ["warm"],
        {"sad": "<sigh>"},
    )
    assert CatalogueChange.objects.filter(actor="ada", row="tara").count() == 1


@pytest.mark.django_db
def test_a_voice_that_the_file_no_longer_has_goes_but_not_staff_s(tmp_path: Path) -> None:
    load_voices()
    Voice.objects.filter(slug="zoe").update(edited_by_staff=True)
    document = json.loads(VOICES_FILE.read_text())
    del document["voices"]["zoe"], document["voices"]["zac"]
    path = tmp_path / "voices.json"
    path.write_text(json.dumps(document))
    loaded = load_voices(path)
    assert (loaded.removed, loaded.kept) == (1, 1)
    assert set(Voice.objects.filter(slug__startswith="z").values_list("slug", flat=True)) == {"zoe"}


@pytest.mark.django_db
def test_emotions_that_are_no_words_with_texts_are_refused(staff: Client) -> None:
    tara = Voice.objects.get(slug="tara")
    tara.emotions = {"sad": 3}
    with pytest.raises(Exception, match="emotions"):
        tara.full_clean()


@pytest.mark.django_db
def test_the_list_takes_a_bounded_number_of_queries(
    staff: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(12):
        answer = staff.get(reverse("admin:gateway_voice_changelist"))
    assert answer.status_code == 200
    assert "Make missing previews (paid calls)" in answer.content.decode()


@pytest.mark.django_db
def test_a_preview_is_wanted_until_it_says_the_present_text() -> None:
    load_voices()
    wanted = {each.slug: each for each in previews_wanted()}
    assert len(wanted) == Voice.objects.count()
    tara = wanted["tara"]
    VoicePreview.objects.create(
        voice_id=tara.voice_id,
        data=b"sound",
        media_type="audio/mpeg",
        media_ms=1000,
        sha256="0" * 64,
        text=tara.text,
        model=tara.model,
        made_at=timezone.now(),
    )
    assert "tara" not in {each.slug for each in previews_wanted()}
    assert [each.slug for each in previews_wanted(["tara"], again=True)] == ["tara"]
    Voice.objects.filter(slug="tara").update(example_text="Something else.")
    assert [each.slug for each in previews_wanted(["tara"])] == ["tara"]
