"""voices.json into the database: adds, changes and removes rows, but none of staff's."""

from pathlib import Path
from typing import Any

from django.db import transaction

from gateway.catalogue.loader import LoadedCatalogue
from gateway.catalogue.services import delete_row, lock_catalogue, save_row
from gateway.models.voice import Voice
from gateway.voices.file import VOICES_FILE, FileVoice, VoicesFile, read_voices_file


def load_voices(path: Path = VOICES_FILE, *, actor: str = "load_catalogue") -> LoadedCatalogue:
    """Make the database say what the file says. Safe to repeat: equal rows are not touched.

    Raises: VoicesFileInvalid; ValidationError where the file contradicts a row of staff's; in both
    cases nothing is written.
    """
    file = read_voices_file(path)
    written = removed = kept = 0
    with transaction.atomic():
        lock_catalogue()
        stored = {voice.slug: voice for voice in Voice.objects.all()}
        for slug in [*stored]:
            if slug in file.voices:
                continue
            voice = stored.pop(slug)
            kept += voice.edited_by_staff
            if not voice.edited_by_staff:
                delete_row(voice, actor=actor)
                removed += 1
        for position, (slug, facts) in enumerate(file.voices.items()):
            voice = stored.get(slug) or Voice(slug=slug)
            if voice.edited_by_staff:
                kept += 1
                continue
            values = _values(file, facts, position)
            if voice.pk is None or any(getattr(voice, name) != values[name] for name in values):
                for name, value in values.items():
                    setattr(voice, name, value)
                written += save_row(voice, actor=actor, by_staff=False)
    return LoadedCatalogue(written=written, removed=removed, kept=kept)


def _values(file: VoicesFile, facts: FileVoice, position: int) -> dict[str, Any]:
    return {
        "enabled": True,
        "position": position,
        "name": facts.name,
        "provider": facts.provider,
        "provider_voice": facts.provider_voice,
        "language": facts.language,
        "gender": facts.gender,
        "archetype": facts.archetype,
        "characteristics": facts.characteristics,
        "use": facts.use,
        "example_text": facts.example_text,
        "emotions": file.emotions.get(facts.emotions, {}),
        "source": facts.source,
    }
