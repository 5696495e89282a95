"""Refunds reach the usage records once, with the words of the call they correct."""

from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection

from billing import ledger
from billing.money_requests import refund_call
from gateway import corrections, tasks
from gateway.reconcile import find_violations
from studio.core.ids import new_id
from tests.billing.people import Customer, make_customer, make_staff

WORDS = (
    "workspace_id, app_id, user_ref, surface, operation, kind, channel, provider, model, status,"
    " billing, price_version, markup_bp, started_at"
)


@pytest.fixture
def customer(db: None) -> Customer:
    """A workspace with credit."""
    customer = make_customer("Corrections")
    customer.top_up(1000)
    return customer


@pytest.fixture
def ann(db: None) -> User:
    """A person of ours."""
    return make_staff("ann")


def rows(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


def refund(customer: Customer, staff: User, call: UUID, amount_ucr: int, key: str) -> None:
    refund_call(
        workspace_id=customer.id,
        call_id=call,
        amount_ucr=amount_ucr,
        reason="a bad answer",
        staff=staff,
        key=key,
    )


def test_a_refund_becomes_a_row_that_counts_nothing_and_charges_less(
    customer: Customer, ann: User
) -> None:
    call = customer.call(60)
    refund(customer, ann, call, 25, "a")
    assert find_violations() == []
    assert tasks.write_corrections() == 1
    assert tasks.write_corrections() == 0
    query = (
        "SELECT request_count, charge_ucr, cost_ucr, attempts, reason, usage_source, input_tokens"
        " FROM usage WHERE request_id = %s ORDER BY at"
    )
    assert rows(query, call) == [
        (1, 60, 0, 1, "", "provider", 10),
        (0, -25, 0, 0, "refund", "none", None),
    ]
    assert len(set(rows(f"SELECT {WORDS} FROM usage WHERE request_id = %s", call))) == 1  # noqa: S608
    assert find_violations() == []


def test_refunds_of_a_call_are_rows_of_their_own_or_one_if_they_came_together(
    customer: Customer, ann: User
) -> None:
    call = customer.call(60)
    refund(customer, ann, call, 5, "a")
    refund(customer, ann, call, 7, "b")  # in the test's one transaction: one note
    assert corrections.write_corrections() == 1
    refund(customer, ann, call, 11, "c")
    assert corrections.write_corrections() == 1
    query = "SELECT charge_ucr FROM usage WHERE request_id = %s ORDER BY at"
    assert rows(query, call) == [(60,), (-12,), (-11,)]
    assert find_violations() == []


def test_a_limit_leaves_the_rest_for_later(customer: Customer, ann: User) -> None:
    calls = [customer.call(10) for _ in range(5)]
    for call in calls:
        refund(customer, ann, call, 1, f"of {call}")
    assert [corrections.write_corrections(limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert find_violations() == []


def test_a_refund_of_a_call_without_a_usage_row_is_kept_and_shown(customer: Customer) -> None:
    call = new_id()
    item = ledger.HoldItem(
        workspace_id=customer.id,
        id=call,
        amount_ucr=10,
        seconds=60,
        price_version=1,
        markup_bp=0,
    )
    ledger.place_holds([item])
    end = ledger.SettleItem(workspace_id=customer.id, id=call, kind="usage", charge_ucr=10)
    ledger.settle([end])
    ledger.refund(workspace_id=customer.id, call_id=call, amount_ucr=4, ref="x")
    assert corrections.write_corrections() == 1
    query = "SELECT request_count, charge_ucr, status, billing FROM usage WHERE request_id = %s"
    assert rows(query, call) == [(0, -4, "succeeded", "credits")]
    assert [violation.source for violation in find_violations()] == ["usage"]


def test_reports_of_requests_do_not_count_a_correction(customer: Customer, ann: User) -> None:
    call = customer.call(60)
    refund(customer, ann, call, 60, "a")
    corrections.write_corrections()
    query = (
        "SELECT sum(request_count), sum(charge_ucr) FROM usage WHERE workspace_id = %s"
        " AND model = 'gpt-5' AND app_id = 'ios'"
    )
    assert rows(query, customer.id) == [(1, 0)]
