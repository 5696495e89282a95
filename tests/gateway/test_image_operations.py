"""One definition of an operation checks requests and is shown: neither can drift from the other."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from gateway.catalogue.file import read_catalogue_file
from gateway.imaging.controls import CONTROL_FIELDS, CONTROLS, STRENGTHS
from gateway.imaging.edits import EDIT_FIELDS, EDITS
from gateway.imaging.operations import (
    Fields,
    Operation,
    Operations,
    check_fields,
    shown_operations,
)
from gateway.imaging.upscales import UPSCALES
from gateway.surfaces.image_studio.control import ControlBody
from gateway.surfaces.image_studio.edit import EditBody
from studio.core.errors import InvalidRequest

ALL = [
    *((name, one, EDITS, EDIT_FIELDS) for name, one in EDITS.items()),
    *((name, one, CONTROLS, CONTROL_FIELDS) for name, one in CONTROLS.items()),
]
each_operation = pytest.mark.parametrize(("name", "one", "table", "fields"), ALL)


def body(fields: Fields, *given: str) -> msgspec.Struct:
    """Give a body that has these fields and no other."""
    names = {name: None for about in fields.values() for name in about.names}
    values: dict[str, Any] = {**names, **dict.fromkeys(given, 1)}
    return cast(msgspec.Struct, SimpleNamespace(**values))


def refusal(name: str, one: Operation, given: msgspec.Struct, fields: Fields) -> str | None:
    """Tell why a body is refused."""
    try:
        check_fields(name, one, given, fields)
    except InvalidRequest as error:
        return error.message
    return None


@each_operation
def test_every_field_that_is_shown_as_used_may_be_given_and_no_other(
    name: str, one: Operation, table: Operations, fields: Fields
) -> None:
    shown = shown_operations(table, fields)[name]["fields"]
    needed = [fields[field].names[0] for field in one.required]
    for field, about in fields.items():
        if not about.shown:
            continue
        said = refusal(name, one, body(fields, *needed, about.names[0]), fields)
        assert said == (None if shown[field] else f"{about.names[0]}: {name} does not use it.")


@each_operation
def test_flipping_a_definition_flips_what_is_checked_and_what_is_shown(
    name: str, one: Operation, table: Operations, fields: Fields
) -> None:
    needed = [fields[field].names[0] for field in one.required]
    for field, about in fields.items():
        flipped = msgspec.structs.replace(one, uses=one.uses ^ {field})
        before, after = one, flipped
        for definition in (before, after):
            used = field in definition.uses
            said = refusal(name, definition, body(fields, *needed, about.names[0]), fields)
            assert (said is None) == used
            shown = shown_operations({name: definition}, fields)[name]["fields"]
            assert shown.get(field, used) == used


@each_operation
def test_what_an_operation_requires_is_refused_by_its_absence(
    name: str, one: Operation, table: Operations, fields: Fields
) -> None:
    assert set(one.required) <= one.uses
    for field in one.required:
        others = [fields[other].names[0] for other in one.required if other != field]
        said = refusal(name, one, body(fields, *others), fields)
        assert said == f"{fields[field].words} is required for {one.doing}"


@pytest.mark.parametrize(
    ("fields", "struct", "apart"),
    [
        (
            EDIT_FIELDS,
            EditBody,
            {"image_base64", "operation", "provider", "model", "output_format", "options"},
        ),
        (CONTROL_FIELDS, ControlBody, {"operation", "output_format"}),
    ],
)
def test_every_field_of_a_body_is_judged_by_the_definitions(
    fields: Fields, struct: type[msgspec.Struct], apart: set[str]
) -> None:
    judged = {name for about in fields.values() for name in about.names}
    assert judged | apart == set(struct.__struct_fields__)
    assert not judged & apart


def test_every_kind_leads_to_the_provider_that_is_shown() -> None:
    first = {
        kind: route.model.partition(":")[0]
        for channel, kind, position, route in read_catalogue_file().routes()
        if (channel, position) == ("stable", 0)
    }
    for one in (*EDITS.values(), *CONTROLS.values()):
        assert first[one.kind] == one.provider
    assert {first[way.kind] for way in UPSCALES.values()} == {"stability"}


def test_controls_show_which_strengths_they_have() -> None:
    shown = shown_operations(CONTROLS, CONTROL_FIELDS)
    assert {
        name: [strength for strength in STRENGTHS if about["fields"][strength]]
        for name, about in shown.items()
    } == {
        "sketch": ["control_strength"],
        "structure": ["control_strength"],
        "style": ["fidelity"],
        "style_transfer": ["style_strength", "composition_fidelity", "change_strength"],
    }
