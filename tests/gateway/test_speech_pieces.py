"""What of a text is relayed untouched, and what is asked for as samples and made here."""

from gateway.operations.speech import SpeechRequest
from gateway.providers import find_provider
from gateway.providers.base import Target
from gateway.providers.speech import SpeechProvider, speaks
from gateway.speech.pieces import Plan, plan


def planned(slug: str, model: str, request: SpeechRequest) -> Plan:
    """Say how a text is spoken by a provider's model."""
    found = find_provider(slug)
    assert found is not None
    assert speaks(found)
    provider: SpeechProvider = found
    return plan(provider, request, Target(model=model))


def test_a_short_text_goes_out_as_it_was_asked() -> None:
    request = SpeechRequest(text="Hello.", format="mp3", speed=1.1)
    assert planned("elevenlabs", "eleven_flash_v2_5", request) == Plan(
        pieces=(request,), shaped=False, format="mp3"
    )


def test_a_format_that_is_not_native_is_made_of_samples() -> None:
    found = planned("elevenlabs", "eleven_flash_v2_5", SpeechRequest(text="Hi.", format="opus"))
    assert (found.shaped, found.format, found.speed) == (True, "opus", 1.0)
    assert [piece.format for piece in found.pieces] == ["pcm"]


def test_a_speed_that_is_not_kept_is_made_here() -> None:
    found = planned("elevenlabs", "eleven_v3", SpeechRequest(text="Hi.", speed=1.5))
    assert (found.shaped, found.speed) == (True, 1.5)
    assert [piece.speed for piece in found.pieces] == [1.0]


def test_a_long_text_is_cut_and_each_piece_knows_its_neighbours() -> None:
    text = "One two three four five. " * 150
    found = planned("elevenlabs", "eleven_v3", SpeechRequest(text=text, speed=1.0))
    first, second = found.pieces
    assert len(first.text) <= 3000
    assert f"{first.text} {second.text}" == text.strip()
    assert first.text.endswith(second.text_before)
    assert second.text.startswith(first.text_after)
    assert (first.text_before, second.text_after) == ("", "")
    assert len(second.text_before) == 300
