"""The page of states, with a picture of each machine."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

import msgspec

from pages.markdown import code, table, title
from servicepunkt.core.applications import model as application_model
from servicepunkt.core.catalogue.editing import model as edit_model
from servicepunkt.core.hosts.incidents import model as incident_model
from servicepunkt.core.hosts.space import model as space_model
from servicepunkt.core.notices import model as notice_model
from servicepunkt.core.orders import model as order_model
from servicepunkt.dokbox import model as deposit_model
from servicepunkt.eid.sdk import states as sdk_states
from servicepunkt.web.help import model as help_model


class Machine(msgspec.Struct, frozen=True):
    """A table of moves: (from, event, to); `None` is what is before the beginning."""

    name: str
    title: str
    about: str
    states: tuple[str, ...]
    moves: tuple[tuple[str | None, str, str], ...]

    @property
    def final(self) -> tuple[str, ...]:
        return tuple(state for state in self.states if not any(move[0] == state for move in self.moves))

    def picture(self) -> str:
        return draw(self)


def simple_moves(transitions: Mapping[str, frozenset[str]]) -> tuple[tuple[str | None, str, str], ...]:
    """Moves of a machine whose events are its states."""
    order = list(transitions)
    moves = [(state, "", to) for state, targets in transitions.items() for to in sorted(targets, key=order.index)]
    return ((None, "", order[0]), *moves)


def sdk_machine(name: str, title: str, what: str, moves: sdk_states.Moves) -> Machine:
    """A workflow of the AusweisApp without what leads from nearly every state to the same end."""
    state, event = sdk_states.State, sdk_states.Event
    late = (state.CANCELLING, state.CANCELLING_LATE)
    own = [
        (*move, to) for move, to in moves.items() if move not in sdk_states.ENDS or move == (state.FINISHING, event.OK)
    ]
    shown = [(before, by, to) for before, by, to in own if before not in late]
    return Machine(
        name,
        title,
        f"{what} The table is `{name.upper().replace('-', '_')}` of `servicepunkt.eid.sdk.states`; what the AusweisApp "
        "says out of turn cancels the workflow (SP4105). Not drawn, since nearly every state has them: `cancel` leads "
        "to `cancelling`, from the two finishing ones to `cancelling_late`, where `ok` still leads to `done`; `failed` "
        "leads to `ended`, and so does an `ok` for which no row is there.",
        tuple(str(one) for one in state if any(one in (before, to) for before, _, to in shown)),
        ((None, "run", str(state.STARTING)), *((str(before), str(by), str(to)) for before, by, to in shown)),
    )


MACHINES = (
    Machine(
        "deposit",
        "Deposit",
        "A document on its way through the box. The table is `MOVES` of `servicepunkt.dokbox.model`; the box and the "
        "mirror of it in the centre both follow it, and an event that is not in the row of its state is refused "
        "(SP3101).",
        tuple(str(state) for state in deposit_model.State),
        tuple(
            (None if state is None else str(state), str(event), str(to))
            for (state, event), to in deposit_model.MOVES.items()
        ),
    ),
    Machine(
        "notice",
        "Notice",
        "A message to a person: a row with a state before anything is sent. The table is `TRANSITIONS` of "
        "`servicepunkt.core.notices.model`; a move that is not there is a conflict (SP0005).",
        notice_model.STATES,
        simple_moves(notice_model.TRANSITIONS),
    ),
    Machine(
        "catalogue-edit",
        "Edit of the catalogue",
        "A value of a service that an editor has written. The table is `MOVES` of "
        "`servicepunkt.core.catalogue.editing.model`; a move that is not there is a conflict (SP0005).",
        edit_model.STATES,
        tuple((state, event, to) for (state, event), to in edit_model.MOVES.items()),
    ),
    Machine(
        "order",
        "Order",
        "Something that a partner sells or books, ordered at a point. The table is `TRANSITIONS` of "
        "`servicepunkt.core.orders.model`; a move that is not there is a conflict (SP0005).",
        order_model.STATES,
        simple_moves(order_model.TRANSITIONS),
    ),
    Machine(
        "application",
        "Application",
        "A form that somebody fills in, handed on to whoever decides. The table is `TRANSITIONS` of "
        "`servicepunkt.core.applications.model`; a draft that nobody touches is deleted, what failed is tried again.",
        application_model.STATES,
        simple_moves(application_model.TRANSITIONS),
    ),
    Machine(
        "slot",
        "Slot of a space",
        "A part of a house that the city wants for a while. The table is `MOVES` of "
        "`servicepunkt.core.hosts.space.model`; a move that is not there is a conflict (SP0005), and once the slot has "
        "begun there is none (SP8102).",
        space_model.STATES,
        tuple((state, event, to) for (state, event), to in space_model.MOVES.items()),
    ),
    Machine(
        "incident",
        "Incident",
        "Something is wrong on the floor of a house. The table is `TRANSITIONS` of "
        "`servicepunkt.core.hosts.incidents.model`; a move that is not there is a conflict (SP0005).",
        incident_model.STATES,
        simple_moves(incident_model.TRANSITIONS),
    ),
    Machine(
        "help-call",
        "Help call",
        "Somebody at a terminal asks for a person. The table is `TRANSITIONS` of `servicepunkt.web.help.model`; a move "
        "that is not there is a conflict (SP0005).",
        tuple(help_model.TRANSITIONS),
        simple_moves(help_model.TRANSITIONS),
    ),
    sdk_machine(
        "identify",
        "Identify with the AusweisApp",
        "A person with a card and its PIN, as the AusweisApp leads through it.",
        sdk_states.IDENTIFY,
    ),
    sdk_machine(
        "change-pin",
        "Change of a PIN with the AusweisApp",
        "An own PIN for the one before, or for the five digits of the letter.",
        sdk_states.CHANGE_PIN,
    ),
)


def states_page() -> str:
    intro = (
        "Every state machine is one table in one place. In the pictures, moves onwards run on the right and moves back "
        "on the left; a double frame is an end. Moves that keep the state are only in the tables.\n"
    )
    return "\n".join([title("States"), intro, *(machine_section(machine) for machine in MACHINES)])


def machine_section(machine: Machine) -> str:
    order = {state: place for place, state in enumerate(machine.states)}
    moves = sorted(machine.moves, key=lambda move: (-1 if move[0] is None else order[move[0]], move[1], order[move[2]]))
    with_events = any(event for _, event, _ in moves)
    rows = [
        (code(state or "(nothing)"), *([code(event)] if with_events else []), code(to)) for state, event, to in moves
    ]
    columns = ("From", *(["Event"] if with_events else []), "To")
    picture = f"![The states of a {machine.title.lower()} and the moves between them]({machine.name}.svg)\n"
    return "\n".join([title(machine.title, 2), machine.about + "\n", picture, table(columns, rows)])


ROW, BOX_WIDTH, BOX_HEIGHT, MARGIN, REACH = 44, 168, 26, 24, 17


def draw(machine: Machine) -> str:
    """An arc diagram: the states from top to bottom, moves onwards on the right, moves back on the left."""
    order = {state: place for place, state in enumerate(machine.states)}
    events: dict[tuple[str | None, str], list[str]] = {}
    for state, event, to in machine.moves:
        if state != to:
            events.setdefault((state, to), []).append(event)
    spans = [(order[to] - order[state]) for state, to in events if state is not None]
    right, left = max([0, *spans]), -min([0, *spans])
    start_x = MARGIN + 12 + left * REACH
    width = start_x + BOX_WIDTH + right * REACH + MARGIN + 12
    height = MARGIN * 2 + ROW * len(machine.states)
    arcs = [arc(order, pair, names, start_x) for pair, names in events.items()]
    boxes = [box(state, place, start_x, final=state in machine.final) for state, place in order.items()]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            ' font-family="sans-serif" font-size="13" role="img">',
            f"<title>{escape(machine.title)}</title>",
            '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
            '<path d="M0 0 L8 4 L0 8 z" fill="#35506b"/></marker></defs>',
            f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>',
            *arcs,
            *boxes,
            "</svg>\n",
        ]
    )


def middle(place: int) -> int:
    return MARGIN + ROW * place + ROW // 2


def arc(order: Mapping[str, int], pair: tuple[str | None, str], events: list[str], x: int) -> str:
    state, to = pair
    named = ": " + ", ".join(events) if any(events) else ""
    label = f"<title>{escape(f'{state} → {to}{named}' if state else to)}</title>"
    style = 'fill="none" stroke="#35506b" stroke-width="1.2" marker-end="url(#tip)"'
    if state is None:
        top = middle(order[to]) - BOX_HEIGHT // 2
        return f'<path d="M{x + 20} {top - 16} V{top - 1}" {style}>{label}</path>'
    distance = order[to] - order[state]
    edge = x + BOX_WIDTH if distance > 0 else x
    bend = edge + distance * REACH * 4 // 3
    # Arcs leave below the middle of a box and arrive above it, or the other way round on their way back.
    shift = 5 if distance > 0 else -5
    start, end = middle(order[state]) + shift, middle(order[to]) - shift
    return f'<path d="M{edge} {start} C{bend} {start} {bend} {end} {edge} {end}" {style}>{label}</path>'


def box(state: str, place: int, x: int, *, final: bool) -> str:
    y = middle(place) - BOX_HEIGHT // 2
    frame = 'fill="#eef3f8" stroke="#35506b"'
    inner = f'<rect x="{x + 3}" y="{y + 3}" width="{BOX_WIDTH - 6}" height="{BOX_HEIGHT - 6}" rx="3" {frame}/>'
    return (
        f'<g><rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5" {frame}/>{inner if final else ""}'
        f'<text x="{x + BOX_WIDTH // 2}" y="{y + 17}" text-anchor="middle" fill="#14202c">{escape(state)}</text></g>'
    )
