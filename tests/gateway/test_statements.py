"""Array literals: what callers write in their labels is one element, whatever it contains."""

from uuid import uuid4

import pytest
from django.db import connection

from gateway.statements import NewCall, hold_parameters

HOSTILE = ['a"b', "back\\slash", "{x,y}", "NULL", "", "é \t", '\\"', "'; DROP TABLE x --", '","']


def call(app_id: str, digest: bytes | None) -> NewCall:
    """Make a call with this label."""
    return NewCall(
        id=str(uuid4()),
        workspace_id=1,
        hold_ucr=1,
        price_version=1,
        markup_bp=0,
        app_key_id=None,
        input_estimate=1,
        app_id=app_id,
        user_ref=app_id,
        surface="studio",
        operation="chat",
        kind="chat.default",
        channel="stable",
        provider="openai",
        model="m",
        idempotency_digest=digest,
    )


@pytest.mark.django_db
def test_hostile_labels_and_digests_survive_the_array_literal() -> None:
    digests = [b"\x00\xff\\", None, b""] * 3
    parameters = hold_parameters(
        [call(text, digest) for text, digest in zip(HOSTILE, digests, strict=True)]
    )
    labels, binaries = parameters[14], parameters[22]
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text[], %s::bytea[]", [labels, binaries])
        row = cursor.fetchone()
    assert row is not None
    assert row[0] == HOSTILE
    assert [None if value is None else bytes(value) for value in row[1]] == digests
