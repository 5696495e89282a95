"""Forms are read to the byte, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.surfaces.multipart import Form, FormReader
from studio.core.errors import BodyTooLarge, InvalidRequest

MOST_BYTES = 100_000
TYPE = b"multipart/form-data; boundary=b0"


def file_of(form: Form) -> bytes | None:
    """Give a form's file."""
    return None if form.file is None else bytes(form.file)


def read_form(content_type: bytes | None, body: bytes, size: int = 100_000) -> Form:
    """Read a form in pieces."""
    reader = FormReader(content_type, most_file_bytes=MOST_BYTES)
    for at in range(0, len(body), size):
        reader.feed(body[at : at + size])
    return reader.form()


def part(name: str, content: bytes, more: str = "") -> bytes:
    """Write one part."""
    head = f'--b0\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


END = b"--b0--\r\n"
FILE = '; filename="a.mp3"\r\nContent-Type: audio/mpeg'


@given(
    st.binary(max_size=300).filter(lambda data: b"--b0" not in data),
    st.text(max_size=50),
    st.integers(min_value=1, max_value=60),
)
def test_a_form_gives_back_what_was_put_in(data: bytes, text: str, size: int) -> None:
    encoded = text.encode("utf-8", "replace")
    if b"--b0" in encoded:
        return
    body = part("a", encoded) + part("file", data, FILE) + part("a", b"2") + END
    form = read_form(TYPE, body, size)
    assert form.texts == {"a": [encoded.decode(), "2"]}
    assert file_of(form) == data


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    for whole in (body, b"--b0" + body, part("a", body) + body, b"--b0\r\n" + body + b"\r\n--b0--"):
        try:
            read_form(TYPE, whole)
        except InvalidRequest:
            continue


@pytest.mark.parametrize(
    "content_type",
    [
        b'multipart/form-data; boundary="b0"',
        b"Multipart/Form-Data;charset=utf-8; BOUNDARY=b0",
    ],
)
def test_a_boundary_may_be_written_in_several_ways(content_type: bytes) -> None:
    body = b"preamble\r\n" + part("a", b"1") + END + b"epilogue"
    assert read_form(content_type, body).texts == {"a": ["1"]}


def test_a_name_may_be_bare_and_a_file_s_name_encoded() -> None:
    body = b"--b0\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
    body += part("file", b"x", "; filename*=UTF-8''%e2%82%ac.mp3") + END
    form = read_form(TYPE, body)
    assert (form.texts, file_of(form)) == ({"a": ["1"]}, b"x")


def test_a_file_beyond_the_limit_is_too_large() -> None:
    whole = part("file", b"x" * (MOST_BYTES + 1), FILE) + END
    with pytest.raises(BodyTooLarge):
        read_form(TYPE, whole, 1000)
    fitting = read_form(TYPE, part("file", b"x" * MOST_BYTES, FILE) + END)
    assert file_of(fitting) == b"x" * MOST_BYTES


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (None, END),
        (b"application/json", b"{}"),
        (b"multipart/form-data", END),
        (TYPE, b""),
        (TYPE, part("a", b"1")),
        (TYPE, b"--b0\r\nno headers\r\n--b0--"),
        (TYPE, part("a", b"\xff") + END),
        (TYPE, part("a", b"x" * 70_000) + END),
        (TYPE, part("other", b"1", FILE) + END),
        (TYPE, part("file", b"1", FILE) + part("file", b"2", FILE) + END),
        (TYPE, part("a", b"1") * 65 + END),
        (TYPE, b"--b0\r\nContent-Disposition: form-data; x=" + b"y" * 9_000 + b"\r\n\r\n1" + END),
    ],
)
def test_what_is_no_whole_form_is_refused(content_type: bytes | None, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_form(content_type, body)
