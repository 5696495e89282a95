"""Questions in words: the graded sets, and what must not change a reading."""

import re

import pytest

from analytics.query import Dimension
from analytics.words.grammar import Read, parse
from analytics.words.lexicon import lexicon
from analytics.words.names import Name, Names, names_of
from analytics.words.refusal import OFFERS, Refusal
from bench.questions import NOW, Case, judge, read_set, score, world

NAMES = names_of(world())
GRADED = ("blind_open", "blind_held", "documented")
READ = [
    case
    for name in ("blind_open", "documented")
    for case in read_set(name)
    if case.accepted and isinstance(parse(case.question, NAMES, NOW), Read)
]


def read(question: str, names: Names = NAMES) -> Read:
    found = parse(question, names, NOW)
    assert isinstance(found, Read), f"{question}: {found}"
    return found


def refusal(question: str, names: Names = NAMES) -> Refusal:
    found = parse(question, names, NOW)
    assert isinstance(found, Refusal), f"{question}: {found}"
    return found


def test_the_documented_questions_are_all_read_exactly() -> None:
    verdicts = {
        case.question: judge(case, parse(case.question, NAMES, NOW))
        for case in read_set("documented")
    }
    assert [text for text, verdict in verdicts.items() if verdict != "exact"] == []


@pytest.mark.parametrize("name", GRADED)
def test_nine_of_ten_questions_are_read_exactly_and_at_most_two_percent_wrongly(name: str) -> None:
    cases = read_set(name)
    reached = score(judge(case, parse(case.question, NAMES, NOW)) for case in cases)
    assert reached.exact >= 0.9 * len(cases), reached
    assert reached.wrong <= 0.02 * len(cases), reached


def test_there_are_at_least_120_graded_questions() -> None:
    assert sum(len(read_set(name)) for name in GRADED) >= 120


@pytest.mark.parametrize(
    "changed",
    [
        str.upper,
        str.title,
        lambda text: f"  {text.replace(' ', '   ')}  ",
        lambda text: f"{text.rstrip('?.!')}?!",
        lambda text: f"please, {text}",
        lambda text: f"Hi! Could you tell me {text}",
        lambda text: f"{text.rstrip('?.! ')}, thanks",
        lambda text: text.replace("'", "’"),
        lambda text: text.replace("requests", "calls"),
        lambda text: re.sub(r"\bspend\b", "cost", text),
        lambda text: (
            text.replace(" by ", " per ")
            if not re.search("by (cost|req|tok|num|lat|spe)", text)
            else text
        ),
        lambda text: text.replace("alice", '"alice"').replace("gpt-4o", "`gpt-4o`"),
    ],
)
def test_case_spaces_politeness_and_synonyms_do_not_change_a_reading(changed) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    for case in READ:
        question = changed(case.question)
        assert read(question).spec == read(case.question).spec, question


def test_other_names_give_the_same_query_about_them() -> None:
    swapped = {"alice": "zoe", "my-legacy-app": "my-shiny-app", "gpt-5": "model-x.1"}
    names = names_of(Name(name.dimension, swapped.get(name.value, name.value)) for name in world())
    for case in READ:
        question, wanted = case.question, repr(read(case.question).spec)
        for old, new in swapped.items():
            question = re.sub(rf"(?<![\w.-]){re.escape(old)}(?![\w-])", new, question)
            wanted = wanted.replace(f"'{old}'", f"'{new}'")
        if question != case.question:
            assert repr(read(question, names).spec) == wanted, question


def test_an_app_named_like_a_word_of_the_lexicon_steals_no_reading() -> None:
    words = sorted(lexicon().words | {"today", "monday", "yesterday", "7", "2026"})
    plain = [case for case in READ if "app" not in case.question.lower()][:25]
    expected = [read(case.question).spec for case in plain]
    for word in words:
        names = names_of([*world(), Name(Dimension.APP, word)])
        for case, spec in zip(plain, expected, strict=True):
            found = parse(case.question, names, NOW)
            same = isinstance(found, Refusal) or found.spec == spec
            assert same or _is_named(case, word), f"{word}: {case.question}: {found}"


def _is_named(case: Case, word: str) -> bool:
    """Whether the question says that the word is a name: after `did`, or after another name."""
    return (
        re.search(
            rf"(?:did|does|excluding|except|without|the|for|of) {re.escape(word)}\b",
            case.question.lower(),
        )
        is not None
    )


def test_an_app_named_like_a_word_can_be_asked_about_in_quotes_and_after_its_noun() -> None:
    for word in ("cost", "today", "by", "may", "unknown", "7", "most", "errors", "billing"):
        names = names_of([*world(), Name(Dimension.APP, word)])
        for question in (f'spend of "{word}" yesterday', f"spend of the app {word} yesterday"):
            [kept] = read(question, names).spec.filters
            assert (kept.dimension, kept.values) == (Dimension.APP, (word,)), question


def test_a_word_that_could_have_been_a_name_is_said() -> None:
    found = read("spend in may")
    assert found.notes == (
        '"may" was not read as the app of that name; for that, say: the app "may".',
    )


def test_a_mended_slip_is_said() -> None:
    assert read("reqests per hour today").notes == ('"reqests" was read as "requests".',)


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("spend by region", "region"),
        ("cost of android-app last month", "android-app"),
        ("why did costs go up", "why"),
        ("forecast the spend", "forecast"),
        ("03/04 spend", "time"),
        ("requests without alarm", "alarm"),
        ("users with more than 10 requests", "than"),
        ("spend in 2099", "time"),
        ("average spend per day", "per"),
        ("spend by app, user and model", "model"),
        ("cost per image last month", "per image"),
    ],
)
def test_what_is_not_understood_is_named_and_three_questions_offered(
    question: str, word: str
) -> None:
    found = refusal(question)
    assert (found.word, found.offers) == (word, OFFERS)


def test_what_is_offered_is_understood() -> None:
    for offer in OFFERS:
        assert isinstance(parse(offer, names_of([]), NOW), Read)


def test_a_close_name_is_offered() -> None:
    assert refusal("spend of mobile-io today").near == ("mobile-ios",)
    near = refusal("spend of claude today").near
    assert near == ("chat.claude", "claude-sonnet-4-5", "claude-haiku-4-5")


def test_the_same_name_of_two_kinds_is_asked_back() -> None:
    names = names_of([*world(), Name(Dimension.USER, "search")])
    assert "say app" in refusal("spend of search today", names).message
    [kept] = read("spend of user search today", names).spec.filters
    assert (kept.dimension, kept.values) == (Dimension.USER, ("search",))
