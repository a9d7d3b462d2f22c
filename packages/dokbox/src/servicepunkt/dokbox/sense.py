"""Whether boxes, documents and the catalogue of a tenant make sense together: who can collect what, when, helped by
whom, and whether the compartments last. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from servicepunkt.core.catalogue.checks import NO_SUCH
from servicepunkt.core.catalogue.model import Catalogue, is_valid, point_hours, staff_hours
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.hours.model import Calendar, Span, midnight, spans
from servicepunkt.core.identification import LEVELS
from servicepunkt.core.rules import Broken, Term, closest, rule
from servicepunkt.dokbox.plan import Demand, line
from servicepunkt.dokbox.policy import DocumentPolicy, Step
from servicepunkt.dokbox.settings import BoxSettings, DokboxSettings, settings_of

Found = Iterator[tuple[str, Broken]]
AHEAD = timedelta(days=28)
#: Steps for which somebody has to be at the box.
NEEDS_SOMEBODY: tuple[Step, ...] = ("staff_check",)
#: Of a hundred documents that many may find the box full.
REFUSED = 0.01
#: Mean days until somebody comes whom nobody reminds; measured nowhere, the planner's own assumption.
DWELL_DAYS = 5.0

NO_BOX = rule(
    "SP3122",
    "{service!r} can be collected at {point!r}, and no box stands there",
    "Add [[dokbox.boxes]], or take `collect` out.",
)
NO_POLICY = rule(
    "SP3123", "no kind of document is described, and {service!r} can be collected", "Add [[dokbox.documents]]."
)
TOO_FEW = rule(
    "SP3124",
    "{documents} documents a year need about {needed} compartments, and there are {there}",
    "A shorter hold period, earlier reminders or a further box help.",
    warns=True,
)
NOBODY_THERE = rule(
    "SP3125",
    "the step {step} needs somebody, and for {hours} hours a week the place is open with nobody there",
    "People can collect only while somebody is there.",
    warns=True,
)
NEVER_THERE = rule("SP3126", "the step {step} needs somebody, and nobody is ever at {point!r}")
NO_DOOR = rule(
    "SP3128",
    "no plugin that is on identifies at the level {level}, and the step identify needs it",
    "People are sent to the counter, or to staff, until one does.",
    warns=True,
)
NO_LAST_DAY = rule("SP3127", "{point!r} is never open: nothing could be collected")


def mistakes(draft: TenantDraft) -> Found:
    """(place within the section, broken rule)."""
    settings, catalogue = settings_of(draft.ctx), draft.catalogue
    known = [point.id for point in catalogue.points]
    for box in settings.boxes:
        if catalogue.point(box.point) is None:
            yield f"boxes.{box.id}.point", NO_SUCH(kind=Term("point"), name=box.point, near=closest(box.point, known))
    yield from _collectable(settings, catalogue, draft.day)
    yield from _capacity(settings)
    yield from _doors(settings, draft)
    for box in settings.boxes:
        yield from _presence(box, settings, draft)


def _collectable(settings: DokboxSettings, catalogue: Catalogue, day: date) -> Found:
    """What is handed out at a counter in person is collected there, and no box is missed."""
    boxed = {box.point for box in settings.boxes}
    for offer in catalogue.offers:
        if offer.can != ("collect",) or not is_valid(None, offer.valid_until, day):
            continue
        if offer.point not in boxed and catalogue.point(offer.point) is not None:
            yield "boxes", NO_BOX(service=offer.service, point=offer.point)
        if not settings.documents and offer.point in boxed:
            yield "documents", NO_POLICY(service=offer.service)


def _doors(settings: DokboxSettings, draft: TenantDraft) -> Found:
    """Somebody can identify as the documents need it."""
    highest = max((door.level for door in draft.plugins.flat(draft.ctx, "identity_providers")), default=0)
    for policy in settings.documents:
        if "identify" in policy.steps and policy.identify_level > highest:
            yield f"documents.{policy.type}.identify_level", NO_DOOR(level=Term(LEVELS[policy.identify_level]))


def _capacity(settings: DokboxSettings) -> Found:
    there = sum(box.compartments for box in settings.boxes)
    if not settings.yearly_documents or not settings.documents or not there:
        return
    longest = max(settings.documents, key=lambda policy: policy.hold_days)
    demand = Demand(documents=settings.yearly_documents, dwell_days=DWELL_DAYS, reminders=longest.reminders)
    needed = line(demand, longest.hold_days, refused=REFUSED, reminded=bool(longest.reminders)).compartments
    if needed > there:
        yield "yearly_documents", TOO_FEW(documents=settings.yearly_documents, needed=needed, there=there)


def _presence(box: BoxSettings, settings: DokboxSettings, draft: TenantDraft) -> Found:
    point = draft.catalogue.point(box.point)
    if point is None or draft.catalogue.host(point.host) is None:
        return
    calendar = Calendar(draft.ctx.zone, draft.ctx.subdivision)
    opened = _weekly_hours(spans(point_hours(draft.catalogue, point), calendar, *_weeks(draft.day, calendar)))
    staffed = _weekly_hours(spans(staff_hours(draft.catalogue, point), calendar, *_weeks(draft.day, calendar)))
    if not opened:
        yield f"boxes.{box.id}.point", NO_LAST_DAY(point=box.point)
        return
    for policy in settings.documents:
        for step in _human(policy):
            place = f"documents.{policy.type}.steps"
            if not staffed:
                yield place, NEVER_THERE(step=step, point=box.point)
            elif opened - staffed >= 1:
                yield place, NOBODY_THERE(step=step, hours=round(opened - staffed))


def _human(policy: DocumentPolicy) -> tuple[Step, ...]:
    """The steps that need somebody at the box; an old document goes to somebody where no slot is named for it."""
    handed_in: tuple[Step, ...] = (
        ("old_document",) if "old_document" in policy.steps and not policy.old_document else ()
    )
    return (*(step for step in policy.steps if step in NEEDS_SOMEBODY), *handed_in)


def _weeks(day: date, calendar: Calendar) -> tuple[datetime, datetime]:
    return midnight(day, calendar), midnight(day + AHEAD, calendar)


def _weekly_hours(found: tuple[Span, ...]) -> float:
    """Hours in a mean week."""
    return sum((span.end - span.start).total_seconds() for span in found) / 3600 / (AHEAD.days / 7)
