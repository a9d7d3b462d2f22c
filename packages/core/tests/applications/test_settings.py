"""What is wrong with [applications] has a code, and what is right has none."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from servicepunkt.core.applications.settings import ApplicationSettings, mistakes
from servicepunkt.core.catalogue.model import Catalogue, Offer, Service
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.rules import Broken
from servicepunkt.core.tenancy.model import TenantContext

CATALOGUE = Catalogue(
    services=(Service(id="certificate", name={"de": "Zeugnis"}), Service(id="other", name={"de": "Anderes"})),
    offers=(
        Offer(service="certificate", point="p", provider="town", can=("apply",), non_digital={"de": "Am Schalter"}),
        Offer(service="other", point="p", provider="town", can=("inform",), non_digital={"de": "Am Schalter"}),
    ),
)


def check(running: Deployment, ctx: TenantContext, section: dict[str, Any]) -> list[tuple[str, str]]:
    settings = msgspec.convert(section, ApplicationSettings)
    own = msgspec.structs.replace(ctx, settings={"applications": settings}, plugins=frozenset({"town"}))
    found = mistakes(TenantDraft(running.plugins, own, CATALOGUE, date(2026, 11, 21)))
    assert all(isinstance(said, Broken) for _, said in found)
    return [(place, said.rule.code) for place, said in found if isinstance(said, Broken)]


def test_a_form_that_is_right_has_no_mistake(running: Deployment, ctx: TenantContext, one_form: dict[str, Any]) -> None:
    assert check(running, ctx, {"forms": [one_form]}) == []
    assert check(running, ctx, {}) == []


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        (lambda form: form.update(service="certificat"), "forms[0].service", "SP8261"),
        (lambda form: form.update(service="other"), "forms[0].service", "SP8262"),
        (lambda form: form["fields"].append(form["fields"][0]), "forms[0].fields[0].name", "SP8264"),
        (lambda form: form["fields"][0].update({"from": "family_name"}), "forms[0].fields[0].from", "SP8265"),
        (lambda form: form.update(also=["greeting"]), "forms[0].also[0]", "SP8265"),
        (lambda form: form["fields"][4].update(locked=True), "forms[0].fields[4].locked", "SP8266"),
        (lambda form: form.update(level=0), "forms[0].fields[0].from", "SP8267"),
        (lambda form: form.update(level=0, age=16), "forms[0].age", "SP8267"),
        (lambda form: form["fields"][4].update(choices=[]), "forms[0].fields[4].choices", "SP8268"),
        (lambda form: form["fields"][4].update(kind="text"), "forms[0].fields[4].choices", "SP8268"),
        (lambda form: form.update(connector="registre"), "forms[0].connector", "SP8269"),
        (lambda form: form.update(connector="folder"), "folder", "SP8270"),
        (lambda form: form.update(connector="email"), "email", "SP8271"),
        (lambda form: form["consent"].pop("en"), "forms[0].consent", "SP8272"),
        (lambda form: form.update(then={"de": "Bald"}), "forms[0].then", "SP8272"),
        (
            lambda form: form["fields"][4]["choices"][1]["words"].pop("en"),
            "forms[0].fields[4].choices[1].words",
            "SP8272",
        ),
    ],
)
def test_each_mistake_is_named_at_its_place(
    running: Deployment, ctx: TenantContext, one_form: dict[str, Any], change: Any, place: str, code: str
) -> None:
    change(one_form)
    assert (place, code) in check(running, ctx, {"forms": [one_form]})


def test_a_service_has_one_form_and_a_level_that_nobody_reaches_is_a_warning(
    running: Deployment, ctx: TenantContext, one_form: dict[str, Any], door: Any
) -> None:
    assert ("forms[1].service", "SP8263") in check(running, ctx, {"forms": [one_form, one_form]})
    door.level = 1
    assert check(running, ctx, {"forms": [one_form]}) == [("forms[0].level", "SP8273")]


@pytest.mark.parametrize("folder", ["inbox", "file:", "file:../x", "file:/etc", "env:X", "file:a/b"])
def test_a_folder_lies_where_it_belongs(running: Deployment, ctx: TenantContext, folder: str) -> None:
    assert check(running, ctx, {"folder": folder}) == [("folder", "SP8270")]
