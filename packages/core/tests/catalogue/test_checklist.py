"""What one has to bring: conditions as questions, and exactly what belongs to the answers."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.catalogue.checklist import AT_POINT, conditions, handed_out, needs, to_bring
from servicepunkt.core.catalogue.model import DocumentNeed, Service

PHOTO = DocumentNeed(text={"de": "Ein Foto", "en": "A photo"}, original=True)
CONSENT = DocumentNeed(text={"de": "Zustimmung"}, when={"de": "wenn der Pass für ein Kind ist", "en": "for a child"})
BIRTH = DocumentNeed(text={"de": "Geburtsurkunde"}, when={"de": "Wenn der Pass für ein  Kind ist."}, original=True)
LOSS = DocumentNeed(text={"de": "Verlustanzeige"}, when={"de": "wenn der alte Pass verloren ist"})
PASS = DocumentNeed(text={"de": "Der neue Pass"}, direction="out")

WORDS = st.text("abc ", min_size=1, max_size=3)
words = st.dictionaries(st.sampled_from(["de", "en", "de-x-leicht"]), WORDS, max_size=2)
documents = st.builds(
    DocumentNeed,
    text=words,
    when=words,
    direction=st.sampled_from(["in", "out"]),
    mandatory=st.booleans(),
    original=st.booleans(),
    channel=st.sampled_from(["000", "100", "200", "point"]),
)
services = st.lists(documents, max_size=12).map(lambda found: Service(id="x", documents=tuple(found)))


def service(*documents: DocumentNeed) -> Service:
    return Service(id="pass", documents=documents)


def test_each_different_condition_is_one_question() -> None:
    found = conditions(service(PHOTO, CONSENT, LOSS, BIRTH, PASS))
    assert [one.needs for one in found] == [(CONSENT, BIRTH), (LOSS,)]
    assert found[0].words == {"de": "wenn der Pass für ein Kind ist", "en": "for a child"}
    assert all(1000 <= one.number <= 9999 for one in found)


def test_who_answers_gets_exactly_what_belongs_to_the_answers() -> None:
    asked = service(PHOTO, CONSENT, LOSS, BIRTH, PASS)
    child, lost = (one.number for one in conditions(asked))
    assert needs(asked) == [PHOTO]
    assert needs(asked, {child}) == [PHOTO, CONSENT, BIRTH]
    assert needs(asked, {lost}) == [PHOTO, LOSS]
    assert needs(asked, {child, lost}) == [PHOTO, CONSENT, LOSS, BIRTH]
    assert needs(asked, {0, 9999, -1}) == [PHOTO]
    assert handed_out(asked) == [PASS]


def test_what_two_conditions_ask_for_stands_there_once_and_as_strictly_as_one_of_them_says() -> None:
    loose = DocumentNeed(text={"de": "Vollmacht"}, when={"de": "wenn Sie fragen"}, mandatory=False)
    strict = DocumentNeed(text={"de": "vollmacht."}, when={"de": "wenn Sie abholen"}, original=True)
    asked = service(loose, strict)
    one, other = (condition.number for condition in conditions(asked))
    assert needs(asked, {one}) == [loose]
    (both,) = needs(asked, {one, other})
    assert (both.text, both.original, both.mandatory) == ({"de": "Vollmacht"}, True, True)


def test_what_may_be_left_at_home_stands_last() -> None:
    optional = DocumentNeed(text={"de": "Der alte Pass"}, mandatory=False)
    assert needs(service(optional, PHOTO)) == [PHOTO, optional]


def test_what_is_asked_for_on_another_way_is_not_asked_for_here() -> None:
    scan = DocumentNeed(text={"de": "Ein Scan"}, channel="200")
    here = DocumentNeed(text={"de": "Die Karte"}, channel="point")
    child = {"de": "wenn es für ein Kind ist"}
    letter = DocumentNeed(text={"de": "Ein Brief"}, when=child, channel="100")
    asked = service(PHOTO, scan, here, letter)
    (number,) = (one.number for one in conditions(asked))
    assert needs(asked, {number}, AT_POINT) == [PHOTO, here]
    assert to_bring(asked, AT_POINT) == [PHOTO, here]
    assert conditions(asked, AT_POINT) == []
    assert needs(asked, {number}) == [PHOTO, scan, here, letter]


def test_a_question_has_the_same_number_on_every_way() -> None:
    online = DocumentNeed(text={"de": "Ein Scan"}, when={"de": "wenn Sie verheiratet sind"}, channel="200")
    asked = service(online, CONSENT)
    assert [one.number for one in conditions(asked, AT_POINT)] == [conditions(asked)[1].number]


def test_the_same_thing_on_two_ways_stands_there_for_each() -> None:
    online, here = (DocumentNeed(text={"de": "Ein Foto"}, channel=way) for way in ("200", "point"))
    assert needs(service(online, here)) == [online, here]


def test_a_number_stays_with_its_words_wherever_they_stand() -> None:
    before = {one.number: one.words for one in conditions(service(CONSENT, LOSS))}
    after = {one.number: one.words for one in conditions(service(LOSS, PHOTO, CONSENT))}
    assert before == after


def test_as_many_conditions_as_there_are_have_numbers_of_their_own() -> None:
    many = service(*(DocumentNeed(text={"de": "x"}, when={"de": f"wenn {number}"}) for number in range(99)))
    assert len({one.number for one in conditions(many)}) == 99


@given(services, st.randoms(use_true_random=False))
def test_numbers_are_different_and_do_not_depend_on_the_order(asked: Service, order: random.Random) -> None:
    found = conditions(asked)
    assert len({one.number for one in found}) == len(found)
    shuffled = list(asked.documents)
    order.shuffle(shuffled)
    again = conditions(Service(id="x", documents=tuple(shuffled)))
    assert {one.number: {id(need) for need in one.needs} for one in again} == {
        one.number: {id(need) for need in one.needs} for one in found
    }


@given(services, st.data())
def test_nothing_is_lost_and_nothing_else_comes(asked: Service, data: st.DataObject) -> None:
    numbers = [one.number for one in conditions(asked)]
    all_texts = {need.text.get("de") for need in asked.documents if need.direction == "in"}
    assert {need.text.get("de") for need in needs(asked, numbers)} <= all_texts
    chosen = data.draw(st.sets(st.sampled_from(numbers))) if numbers else set()
    few, more = needs(asked, chosen), needs(asked, numbers)
    assert len(needs(asked)) <= len(few) <= len(more)
    belonging = [need for one in conditions(asked) if one.number in chosen for need in one.needs]
    said = [" ".join(need.text.get("de", next(iter(need.text.values()), "")).split()).rstrip(".") for need in few]
    for need in belonging:
        assert " ".join(need.text.get("de", next(iter(need.text.values()), "")).split()).rstrip(".") in said
    assert [need.mandatory for need in few] == sorted((need.mandatory for need in few), reverse=True)
