"""Calls as staff see them."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway.models.call import Call
from studio.core.ids import new_id

LIST = "/admin/gateway/call/"


@pytest.fixture
def call(db: None) -> Call:
    """An open call with an answer that only its caller may have."""
    now = timezone.now()
    return Call.objects.create(
        id=new_id(),
        workspace_id=7,
        app_id="shop",
        user_ref="",
        surface="core",
        operation="chat",
        kind="chat.default",
        channel="stable",
        provider="openai",
        model="gpt-5",
        billing="credits",
        lease_until=now,
        hold_ucr=1,
        price_version=1,
        markup_bp=0,
        input_estimate=1,
        answer=b"an answer of somebody",
        answer_media_type="text/plain",
        started_at=now,
    )


def test_a_call_is_found_by_its_id_and_by_nothing_else(call: Call, admin_client: Client) -> None:
    for term, found in ((str(call.pk), [call]), (str(new_id()), []), ("shop", []), ("7", [])):
        page = admin_client.get(LIST, {"q": term})
        assert list(page.context["cl"].result_list) == found


def test_the_list_reads_no_whole_column_and_casts_no_id(call: Call, admin_client: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(LIST, {"q": str(call.pk), "state__exact": "open"})
    assert list(page.context["cl"].result_list) == [call]
    about_calls = [query["sql"] for query in queries if "gateway_call" in query["sql"]]
    assert about_calls
    assert [text for text in about_calls if "DISTINCT" in text or "UPPER" in text] == []


def test_a_call_opens_without_its_answer_and_offers_nothing_to_change(
    call: Call, admin_client: Client
) -> None:
    address = f"{LIST}{call.pk}/change/"
    page = admin_client.get(address)
    assert page.status_code == 200
    assert "gpt-5" in page.content.decode()
    assert "an answer of somebody" not in page.content.decode()
    assert admin_client.post(address, {"state": "failed"}).status_code == 403
    assert admin_client.post(f"{LIST}{call.pk}/delete/").status_code == 403
    assert admin_client.get(f"{LIST}add/").status_code == 403
