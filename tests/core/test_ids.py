"""Ids: version, variant, order in time, and the same event giving the same id."""

import os
from uuid import RFC_4122, UUID

from studio.core.ids import event_id, new_id, new_id_text


def test_new_ids_are_version_7_in_both_forms() -> None:
    for value in (new_id(), UUID(new_id_text())):
        assert value.version == 7
        assert value.variant == RFC_4122


def test_the_text_form_is_canonical_and_never_repeats() -> None:
    texts = [new_id_text() for _ in range(10_000)]
    assert all(str(UUID(text)) == text for text in texts)
    assert len(set(texts)) == len(texts)


def test_ids_sort_by_time_to_the_millisecond() -> None:
    moments = [UUID(new_id_text()).int >> 80 for _ in range(2_000)]
    assert moments == sorted(moments)
    assert new_id().int >> 80 >= moments[-1]


def test_the_same_event_has_the_same_id() -> None:
    assert event_id("stripe:pi_1") == event_id("stripe:pi_1")
    assert event_id("stripe:pi_1") != event_id("stripe:pi_2")
    assert event_id("stripe:pi_1").version == 5


def test_a_forked_process_makes_ids_of_its_own() -> None:
    new_id_text()  # the pool is full now
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, "".join(new_id_text()[14:] for _ in range(50)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    said = os.read(reader, 50 * 22).decode()
    theirs = {said[start : start + 22] for start in range(0, len(said), 22)}
    ours = {new_id_text()[14:] for _ in range(500)}
    assert len(theirs) == 50
    assert theirs.isdisjoint(ours)
