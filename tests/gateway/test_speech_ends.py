"""Speech that ends otherwise than whole: a later piece that fails, a process that dies; and sounds
that nobody keeps any longer.
"""

from collections.abc import Callable

import pytest
import requests

from billing.pricing import latest_price_book
from gateway.models.asset import Asset
from gateway.models.speech import SpokenText
from gateway.resolver import resolve_dead_calls
from gateway.speech.cache import forget_old_speech
from gateway.statements import HOLD, NewCall, hold_parameters
from studio.core.ids import new_id
from tests.databases import rows
from tests.gateway.conftest import Payer, own_violations
from tests.gateway.speech_calls import GRANTED_UCR, audio, charge_of, new_text, settled, voice

SENTENCE = "The ferry leaves at nine, and the harbour is quiet again. "


def test_of_a_text_whose_second_piece_fails_the_first_is_paid(payer: Payer) -> None:
    text = f"{SENTENCE * 51}{new_text()} [[sandbox html]] {SENTENCE * 5}"
    with pytest.raises(requests.exceptions.RequestException):
        audio(payer, text, body={"model": "eleven_v3", "voice": "rachel"}, timeout=60)
    [usage] = settled(payer)
    assert (usage["status"], usage["reason"]) == ("interrupted", "upstream_invalid_response")
    assert 2900 < usage["character_count"] <= 3000
    assert usage["charge_ucr"] == charge_of(usage["character_count"], 80)
    assert payer.balance() == (GRANTED_UCR - usage["charge_ucr"], 0)


@pytest.mark.parametrize(
    ("provider", "model", "charge_ucr"),
    [
        ("elevenlabs", "eleven_flash_v2_5", charge_of(120, 40)),
        ("openai", "gpt-4o-mini-tts", (30 * 600 + 120 * 12_000) * 12 // 10),
    ],
)
@pytest.mark.parametrize("checkpoint", [0, 120])
def test_a_dead_process_s_speech_is_paid_by_what_its_model_bills(
    payer: Payer, provider: str, model: str, charge_ucr: int, checkpoint: int
) -> None:
    call = NewCall(
        id=str(new_id()),
        workspace_id=payer.workspace_id,
        hold_ucr=50_000_000,
        price_version=latest_price_book().version,
        markup_bp=2000,
        app_key_id=payer.app_key_id,
        input_estimate=30,
        app_id="unknown",
        user_ref="user",
        surface="studio",
        operation="speech",
        kind="speech",
        channel="stable",
        provider=provider,
        model=model,
    )
    rows(HOLD, *hold_parameters([call]))
    rows(
        "UPDATE gateway_call SET checkpoint_tokens = %s, lease_until = now() - interval '1 minute'"
        " WHERE id = %s RETURNING 1",
        checkpoint,
        call.id,
    )
    for _ in range(100):  # a database that has just started is left alone for a while
        resolve_dead_calls()
        if payer.usage():
            break
        rows("SELECT pg_sleep(0.2)::text")
    [usage] = payer.usage()
    assert (usage["status"], usage["reason"]) == ("interrupted", "process_lost")
    by_tokens = model == "gpt-4o-mini-tts"
    assert usage["character_count"] == (0 if by_tokens else checkpoint)
    assert usage["output_tokens"] == (checkpoint if by_tokens else 0)
    assert usage["charge_ucr"] == (charge_ucr if checkpoint else 0)
    assert payer.balance() == (GRANTED_UCR - usage["charge_ucr"], 0)
    assert own_violations(payer) == []


def test_a_workspace_keeps_a_thousand_sounds_and_those_used_last(payer: Payer) -> None:
    rows(
        "INSERT INTO gateway_spokentext (workspace_id, digest, asset_id, sha256, size_bytes,"
        " media_ms, created_at, used_at) SELECT %s, decode(md5(n::text), 'hex'), uuidv7(), '0', 9,"
        " 1, now(), now() - make_interval(secs => n) FROM generate_series(1, 1000) n RETURNING 1",
        payer.workspace_id,
    )
    text = new_text()
    voice(payer, text)
    kept = SpokenText.objects.filter(workspace_id=payer.workspace_id)
    assert kept.count() == 1000
    assert not kept.extra(where=["digest = decode(md5('1000'), 'hex')"]).exists()
    assert voice(payer, text).headers["x-cache"] == "hit"


def test_a_sound_is_kept_for_a_week_and_its_file_goes_with_it(
    make_payer: Callable[..., Payer],
) -> None:
    payer = make_payer()
    old, new = new_text(), new_text()
    voice(payer, old)
    rows(
        "UPDATE gateway_spokentext SET created_at = now() - interval '8 days'"
        " WHERE workspace_id = %s RETURNING 1",
        payer.workspace_id,
    )
    voice(payer, new)
    assert forget_old_speech() >= 1
    assert SpokenText.objects.filter(workspace_id=payer.workspace_id).count() == 1
    files = Asset.objects.filter(workspace_id=payer.workspace_id)
    assert sorted(file.deleted_at is None for file in files) == [False, True]
    assert [voice(payer, text).headers["x-cache"] for text in (old, new)] == ["miss", "hit"]
