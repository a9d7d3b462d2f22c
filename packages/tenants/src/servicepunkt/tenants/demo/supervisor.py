"""The demonstration's supervisor: real processes, real PostgreSQL, a desk to look at; Ctrl-C ends everything."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from servicepunkt.core import deployment as deployments
from servicepunkt.core.clock import RehearsalClock
from servicepunkt.core.db import migrate
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError, SettingsError
from servicepunkt.core.hours.model import Calendar
from servicepunkt.core.people import service as people
from servicepunkt.core.people import store as people_store
from servicepunkt.core.settings import Settings
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.tenants import files, service
from servicepunkt.tenants.demo.desk import create_desk
from servicepunkt.tenants.demo.phone import Phone
from servicepunkt.tenants.demo.processes import Process, stop_all
from servicepunkt.tenants.demo.story_file import Moments, StoryFile, read_story
from servicepunkt.web.devices import service as devices
from servicepunkt.web.server import serving, stop_on_signals

out = Console()
HOST = "127.0.0.1"
MAX_TABLE = 1000  # columns; no table is wider
READY_SECONDS = 60.0
TERMINAL_LABEL = "Demo-Terminal"

# Example accounts of the demonstration; nobody real.
ACCOUNTS = (
    ("clerk", "Beispiel Sachbearbeitung", ("clerk", "point_staff")),
    ("admin", "Beispiel Verwaltung", ("city_admin", "auditor")),
)


class BoxPlace(msgspec.Struct, frozen=True):
    """One box of one tenant with its addresses."""

    box: str
    point: str
    compartments: int
    pages: str
    cabinet: str
    home: Path
    line: Path


class ReaderPlace(msgspec.Struct, frozen=True):
    """One card reader of one tenant with its addresses, and the simulated desk with card and eID service behind it."""

    reader: str
    point: str
    pages: str
    desk: str
    ausweisapp: int
    service: int
    home: Path


class Stage(msgspec.Struct):
    """One tenant on stage."""

    ctx: TenantContext
    boxes: list[BoxPlace]
    readers: list[ReaderPlace]
    passwords: dict[str, str]
    story: StoryFile | None = None

    @property
    def moments(self) -> Moments | None:
        """When the story can happen next."""
        calendar = Calendar(self.ctx.zone, self.ctx.subdivision)
        return self.story.moments(datetime.now(UTC), calendar) if self.story else None


class Demo:
    """Everything that runs, by name, and where it is reached."""

    def __init__(self, settings: Settings, deployment: Deployment, ports: list[int]) -> None:
        self.settings = settings
        self.deployment = deployment
        self.home = settings.home
        self._ports = iter(ports)
        self.centre = f"http://{HOST}:{next(self._ports)}"
        self.desk = f"http://{HOST}:{next(self._ports)}"
        self.clock = RehearsalClock(self.home / "clock")
        self.phone = Phone(self.home / "phone.jsonl")
        self.stages: list[Stage] = []
        self._codes: dict[tuple[str, str], tuple[UUID, str]] = {}
        self.processes: dict[str, Process] = {}
        self._addresses: dict[str, str] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What the processes are told; the owner's role is not theirs to know."""
        return {
            "SERVICEPUNKT_HOME": str(self.home),
            "SERVICEPUNKT_DATABASE_URL": self.settings.database_url,
            "SERVICEPUNKT_PUBLIC_URL": self.centre,
            "SERVICEPUNKT_PHONE_URL": f"{self.desk}/phone",
            "SERVICEPUNKT_REHEARSAL_CLOCK": str(self.home / "clock"),
            "SERVICEPUNKT_SECURE_COOKIES": "false",
            **self._addresses,
        }

    def process(self, name: str, *arguments: str) -> Process:
        log = self.home / "logs" / f"{name.replace('/', '-')}.log"
        made = Process(name, arguments, environment=self.environment, log=log)
        self.processes[name] = made
        return made

    async def prepare(self, packs: dict[str, Path]) -> None:
        """Tenants, example accounts and box devices; what is there already stays."""
        for folder in packs.values():
            read = service.load(self.deployment, folder)
            await service.apply(self.deployment, read, actor="demo")
            ctx = await self.deployment.directory.by_slug(read.tenant.slug)
            if ctx is None:
                raise NotFoundError(f"{read.tenant.slug} is not served: its state is {read.tenant.state}")
            stage = Stage(
                ctx, self._places(ctx), self._reader_places(ctx), await self._accounts(ctx), read_story(folder)
            )
            self.stages.append(stage)

    def _places(self, ctx: TenantContext) -> list[BoxPlace]:
        # The supervisor must not know the box's package; its section of the tenant file is read by shape.
        section = msgspec.to_builtins(ctx.settings.get("dokbox")) or {}
        places = []
        for box in section.get("boxes", []):
            home = self.home / "boxes" / ctx.slug / box["id"]
            pages, cabinet = next(self._ports), next(self._ports)
            places.append(
                BoxPlace(
                    box["id"],
                    box["point"],
                    box["compartments"],
                    f"http://{HOST}:{pages}",
                    f"http://{HOST}:{cabinet}",
                    home,
                    home.parent / f"{box['id']}.line",
                )
            )
        return places

    def _reader_places(self, ctx: TenantContext) -> list[ReaderPlace]:
        """One of each tenant with an eID service; where its file leaves open where that is, we say it."""
        section = msgspec.to_builtins(ctx.settings.get("eid")) or {}
        service = section.get("service") or {}
        readers = section.get("readers", [])[:1] if service else []
        places = [
            ReaderPlace(
                one["id"],
                one["point"],
                f"http://localhost:{next(self._ports)}",
                f"http://{HOST}:{next(self._ports)}",
                next(self._ports),
                next(self._ports),
                self.home / "readers" / ctx.slug,
            )
            for one in readers
        ]
        for place in places:
            for name in ("url", "server_address"):
                if service[name].startswith("env:"):
                    self._addresses[service[name].removeprefix("env:")] = f"https://localhost:{place.service}/eid"
        return places

    async def _accounts(self, ctx: TenantContext) -> dict[str, str]:
        """Example accounts with passwords of their own, kept beside the demonstration's data."""
        path = self.home / "accounts" / f"{ctx.slug}.json"
        known: dict[str, str] = msgspec.json.decode(path.read_bytes()) if path.exists() else {}
        async with self.deployment.database.tenant(ctx) as tx:
            for login, name, roles in ACCOUNTS:
                if await people_store.by_login(tx, login) is None:
                    known[login] = "-".join(secrets.token_hex(2) for _ in range(4))
                    await people.create_account(
                        tx,
                        at=self.deployment.clock.now(),
                        actor="demo",
                        login=login,
                        name=name,
                        password=known[login],
                        roles=roles,
                    )
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(msgspec.json.encode(known))
        path.chmod(0o600)
        return known

    async def start(self) -> None:
        """Start every process and wait until each answers."""
        self.process("serve", "serve", "--port", str(port_of(self.centre))).start()
        self.process("worker", "worker").start()
        for stage in self.stages:
            for place in stage.boxes:
                self._simulator(stage, place).start()
            for reader in stage.readers:
                self._card(stage, reader).start()
        await self.answers(f"{self.centre}/health/ready", self.processes["serve"])
        for stage in self.stages:
            for place in stage.boxes:
                await self.answers(f"{place.cabinet}/state", self.processes[f"cabinet/{stage.ctx.slug}/{place.box}"])
                (await self._controller(stage, place)).start()
            for reader in stage.readers:
                await self.answers(f"{reader.desk}/state", self.processes[f"card/{stage.ctx.slug}"])
                (await self._reader(stage, reader)).start()
        for stage in self.stages:
            for place in stage.boxes:
                await self.answers(f"{place.pages}/health/live", self.processes[f"box/{stage.ctx.slug}/{place.box}"])

    def _simulator(self, stage: Stage, place: BoxPlace) -> Process:
        place.line.parent.mkdir(parents=True, exist_ok=True)
        return self.process(
            f"cabinet/{stage.ctx.slug}/{place.box}",
            *("box", "simulate", "--link", str(place.line), "--compartments", str(place.compartments)),
            *("--port", str(port_of(place.cabinet)), "--state-file", str(place.line.with_suffix(".state"))),
        )

    async def _controller(self, stage: Stage, place: BoxPlace) -> Process:
        boards = -(-place.compartments // 16)
        return self.process(
            f"box/{stage.ctx.slug}/{place.box}",
            *("box", "run", "--home", str(place.home), "--centre", f"{self.centre}/t/{stage.ctx.slug}"),
            *("--cabinet", f"krcu16:{place.line}?boards={boards}&compartments={place.compartments}"),
            *("--port", str(port_of(place.pages)), "--url", place.pages),
            *await self._enrolment(stage, "box", place.box, place.home),
        )

    def _card(self, stage: Stage, place: ReaderPlace) -> Process:
        slug = stage.ctx.slug
        return self.process(
            f"card/{slug}",
            *("eid", "simulate", "--home", str(place.home / "service"), "--secrets", str(self.home / "secrets" / slug)),
            *("--ausweisapp", str(place.ausweisapp), "--service", str(place.service)),
            *("--port", str(port_of(place.desk)), "--name", stage.ctx.name),
        )

    async def _reader(self, stage: Stage, place: ReaderPlace) -> Process:
        home = place.home / place.reader
        return self.process(
            f"reader/{stage.ctx.slug}/{place.reader}",
            *("eid", "run", "--home", str(home), "--centre", f"{self.centre}/t/{stage.ctx.slug}"),
            *("--ausweisapp", f"ws://{HOST}:{place.ausweisapp}/eID-Kernel"),
            *("--port", str(port_of(place.pages)), "--url", place.pages),
            *await self._enrolment(stage, "reader", place.reader, home),
        )

    async def _enrolment(self, stage: Stage, kind: str, target: str, home: Path) -> tuple[str, ...]:
        """The option with a one-time code, for what was not enrolled yet."""
        if (home / "token").exists():
            return ()
        _, code = await devices.announce(
            self.deployment, stage.ctx, actor="demo", kind=kind, target=target, label=target
        )
        return ("--enrol", code)

    async def answers(self, address: str, process: Process) -> None:
        """Wait until `address` answers. Raises SettingsError with the end of the log when the process died."""
        deadline = time.monotonic() + READY_SECONDS
        async with httpx.AsyncClient(timeout=2) as client:
            while time.monotonic() < deadline:
                if not process.alive:
                    raise SettingsError(f"{process.name} has ended:\n{process.tail()}")
                try:
                    if (await client.get(address)).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.1)
        raise SettingsError(f"{process.name} does not answer at {address}:\n{process.tail()}")

    async def terminal_address(self, stage: Stage, point: str) -> str:
        """An address that makes the browser a terminal of `point`. A device that still waits is used, not a new one.

        Its code stays the same until it is used up or has expired.
        """
        ctx, key = stage.ctx, (stage.ctx.slug, point)
        waiting = await devices.waiting(self.deployment, ctx, kind="terminal", target=point, label=TERMINAL_LABEL)
        held, code = self._codes.get(key, (None, ""))
        if waiting is None:
            made, code = await devices.announce(
                self.deployment, ctx, actor="demo", kind="terminal", target=point, label=TERMINAL_LABEL
            )
            self._codes[key] = made.id, code
        elif waiting.id != held or waiting.code_until is None or waiting.code_until <= self.clock.now():
            code = await devices.renew(self.deployment, ctx, actor="demo", device_id=waiting.id)
            self._codes[key] = waiting.id, code
        return f"{self.centre}/t/{ctx.slug}/device/enrol?code={code}"

    def set_clock(self, instant: datetime | None) -> None:
        """Make it another time for all processes; None is the real time."""
        if instant is None:
            (self.home / "clock").unlink(missing_ok=True)
        else:
            self.clock.set(instant)

    def stop(self) -> None:
        stop_all(list(self.processes.values()))


def run_demo(*, base_port: int, story: bool, only: str) -> int:
    """Run until Ctrl-C, or until the story has been told; returns the exit code."""
    packs = files.installed_packs()
    if only:
        if only not in packs:
            raise NotFoundError(f"there is no installed tenant pack {only!r}: {', '.join(packs) or 'none'}")
        packs = {only: packs[only]}
    if not packs:
        raise NotFoundError("no tenant pack is installed")
    with deployments.configured() as settings:
        settings.home.mkdir(parents=True, exist_ok=True)
        keep_alone(settings.home)
        settings = msgspec.structs.replace(settings, secure_cookies=False, rehearsal_clock=str(settings.home / "clock"))
        plugins = deployments.load_plugins(settings)
        with out.status("Preparing the database …"):
            migrate.upgrade(settings.owner_database_url, plugins)
        return asyncio.run(_run(settings, packs, base_port=base_port, story=story))


async def _run(settings: Settings, packs: dict[str, Path], *, base_port: int, story: bool) -> int:
    ports = (
        free_ports(40) if base_port == 0 else [*range(base_port, base_port + 2), *range(base_port + 10, base_port + 48)]
    )
    if base_port:
        require_free(ports[:2])
    settings = msgspec.structs.replace(settings, public_url=f"http://{HOST}:{ports[0]}")
    async with deployments.running(settings) as deployment:
        demo = Demo(settings, deployment, ports)
        stop = stop_on_signals()
        try:
            await demo.prepare(packs)
            async with serving(create_desk(demo), host=HOST, port=port_of(demo.desk)):
                with out.status("Starting the processes …"):
                    await demo.start()
                if story:
                    return await _tell(demo, stop)
                _print_addresses(demo)
                await _until_stopped(demo, stop)
                return 0
        finally:
            out.print("Ending all processes …", style="dim")
            await asyncio.to_thread(demo.stop)


async def _tell(demo: Demo, stop: asyncio.Event) -> int:
    from servicepunkt.tenants.demo.story import tell

    telling = asyncio.create_task(tell(demo))
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([telling, stopping], return_when=asyncio.FIRST_COMPLETED)
    if telling not in done:
        telling.cancel()
        return 1
    stopping.cancel()
    return 0 if telling.result() else 1


async def _until_stopped(demo: Demo, stop: asyncio.Event) -> None:
    """Wait for Ctrl-C; a process that has ended although nobody switched it off is started again, and it is said."""
    while not stop.is_set():
        for name, process in demo.processes.items():
            if not process.fallen:
                continue
            if process.revive():
                out.print(f"[yellow]{name} had ended and was started again.[/]")
            else:
                out.print(f"[red]{name} ends again and again:[/]")
                out.print(process.tail(), markup=False)
        try:
            async with asyncio.timeout(1):
                await stop.wait()
        except TimeoutError:
            continue


def keep_alone(home: Path) -> None:
    """Two demonstrations on one folder would take each other's lines and journals. Raises SettingsError.

    The lock goes with the process, however it ends.
    """
    descriptor = os.open(home / "demo.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise SettingsError(
            f"a demonstration is already running in {home.name}; SERVICEPUNKT_HOME names another folder"
        ) from None


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for found in sockets:
            found.bind((HOST, 0))
        return [found.getsockname()[1] for found in sockets]
    finally:
        for found in sockets:
            found.close()


def require_free(ports: list[int]) -> None:
    """Raises SettingsError naming the port that somebody uses."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                raise SettingsError(f"port {port} is in use; choose another with --base-port") from None


def _print_addresses(demo: Demo) -> None:
    """A table where its longest line has room; else each address in a line of its own, whole, to be copied."""
    groups = addresses(demo)
    table = Table(title="Servicepunkt", title_justify="left")
    for column in ("tenant", "what", "address"):
        table.add_column(column, no_wrap=True)
    for name, rows in groups:
        table.add_section()
        for number, (what, address) in enumerate(rows):
            table.add_row("" if number else escape(name), what, address)
    if out.measure(table, options=out.options.update(max_width=MAX_TABLE)).maximum <= out.width:
        out.print(table)
    else:
        for name, rows in groups:
            out.print(f"\n{name}", style="bold", soft_wrap=True, markup=False)
            for what, address in rows:
                out.print(f"  {what}:\n    {address}", soft_wrap=True, markup=False)
    out.print(f"\nCtrl-C ends everything. Data stays in {demo.home}", soft_wrap=True, markup=False)


def addresses(demo: Demo) -> list[tuple[str, list[tuple[str, str]]]]:
    """Where everything is reached: for the demonstration and each tenant, what and its address or password."""
    own = [("desk: clock, plug, telephone, everything below", demo.desk)]
    own.append(("telephone (SMS as they arrive)", f"{demo.desk}/phone"))
    groups = [("Servicepunkt", own)]
    for stage in demo.stages:
        base = f"{demo.centre}/t/{stage.ctx.slug}"
        rows = [("web", f"{base}/")]
        for place in stage.boxes:
            rows.append((f"terminal at {place.point}", f"{demo.desk}/terminal/{stage.ctx.slug}/{place.point}"))
            rows.append((f"{place.box}: collect", place.pages))
            rows.append((f"{place.box}: the cabinet", place.cabinet))
        for reader in stage.readers:
            rows.append((f"{reader.reader}: an ID card to practise", reader.desk))
            rows.append((f"{reader.reader}: its own pages", reader.pages))
        rows.append(("staff", f"{base}/staff"))
        rows += [(f"sign in as {login}", password) for login, password in stage.passwords.items()]
        groups.append((stage.ctx.name, rows))
    return groups
