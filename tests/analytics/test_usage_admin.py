"""What staff sees of usage."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import DjangoAssertNumQueries

from analytics.models import Calendar, Usage
from analytics.services import set_week_start
from studio.accounts.models import Workspace
from studio.core.ids import new_id


@pytest.fixture
def usage(db: None) -> Usage:
    """One call of one workspace."""
    workspace = Workspace.objects.create(name="Usage admin")
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO usage (request_id, workspace_id, surface, operation, kind, channel,
                                  status, billing, charge_ucr)
               VALUES (%s, %s, 'core', 'chat', 'chat.default', 'stable', 'succeeded', 'credits', 7)
            """,
            [new_id(), workspace.pk],
        )
    return Usage.objects.get(workspace_id=workspace.pk)


def test_a_row_knows_its_workspace_and_its_charge(usage: Usage) -> None:
    assert (usage.workspace_name, usage.charge_ucr, usage.request_count) == ("Usage admin", 7, 1)


@pytest.mark.parametrize("by", ["", "workspace_id", "workspace_name", "request_id"])
def test_the_list_finds_by_workspace_and_by_request_with_few_queries(
    usage: Usage,
    admin_client: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    by: str,
) -> None:
    search = {"q": str(getattr(usage, by))} if by else {}
    with django_assert_max_num_queries(9):
        page = admin_client.get("/admin/analytics/usage/", search)
    assert usage in page.context["cl"].result_list


def test_a_row_opens_and_offers_nothing_to_change(usage: Usage, admin_client: Client) -> None:
    address = f"/admin/analytics/usage/{usage.key}/change/"
    assert admin_client.get(address).status_code == 200
    assert admin_client.post(address, {"charge_ucr": "0"}).status_code == 403
    assert admin_client.post(address.replace("change", "delete")).status_code == 403
    assert admin_client.get("/admin/analytics/usage/add/").status_code == 403
    assert admin_client.get("/admin/analytics/usage/x/change/").status_code == 302


def test_the_list_reads_no_whole_column_for_its_filters(usage: Usage, admin_client: Client) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = admin_client.get("/admin/analytics/usage/", {"status__exact": "succeeded"})
    assert usage in page.context["cl"].result_list
    assert [query["sql"] for query in queries if "DISTINCT" in query["sql"]] == []


@pytest.mark.parametrize(
    ("column", "known"), [("status", Usage.Status), ("billing", Usage.Billing)]
)
def test_the_filters_offer_what_the_table_allows(
    db: None, column: str, known: type[Usage.Status] | type[Usage.Billing]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s"
            " AND conrelid = 'usage'::regclass",
            [f"usage_{column}_check"],
        )
        (definition,) = cursor.fetchone()
    assert sorted(re.findall(r"'(\w+)'", definition)) == sorted(known.values)


@pytest.mark.parametrize("term", ["9" * 19, "9" * 5000, "0", "no such workspace"])
def test_a_search_for_nothing_finds_nothing(usage: Usage, admin_client: Client, term: str) -> None:
    page = admin_client.get("/admin/analytics/usage/", {"q": term})
    assert list(page.context["cl"].result_list) == []


def test_staff_changes_the_first_day_of_a_week_and_nothing_else(
    db: None, admin_client: Client
) -> None:
    workspace = Workspace.objects.create(name="Weeks")
    set_week_start(workspace_id=workspace.pk, week_start=1)
    found = admin_client.get("/admin/analytics/calendar/", {"q": "Weeks"}).context["cl"]
    assert [calendar.workspace_id for calendar in found.result_list] == [workspace.pk]
    address = f"/admin/analytics/calendar/{workspace.pk}/change/"
    sent = {"week_start": "7", "time_zone": "Asia/Tokyo", "own_days_from": "2026-01-01"}
    assert admin_client.post(address, sent).status_code == 302
    calendar = Calendar.objects.get(pk=workspace.pk)
    assert (calendar.week_start, calendar.time_zone) == (7, "UTC")
    assert admin_client.post(address, {"week_start": "8"}).status_code == 200
    assert Calendar.objects.get(pk=workspace.pk).week_start == 7
    assert admin_client.get("/admin/analytics/calendar/add/").status_code == 403
