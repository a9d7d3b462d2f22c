"""The connectors that are always there: files in a folder, and mail. Plugins bring more; whatever goes wrong in
those is named, and no words of it go on."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from servicepunkt.core.applications import papers
from servicepunkt.core.applications.model import RECEIPT, ApplicationConnector, ConnectorError, Submission
from servicepunkt.core.applications.settings import EMAIL, FOLDER, folder_name, settings_of
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.notices import service as notices
from servicepunkt.core.notices.model import Attachment, Message
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.applications")
SECONDS = 60.0
SUBJECT = "Application {reference}: {service}"
BODY = "An application was submitted. Its reference is {reference}. What was answered is attached."


class Identified(msgspec.Struct):
    """Of a file that is there already: whose it is."""

    id: str


class FolderConnector:
    """One JSON and one HTML file for each application, named by its reference. The JSON comes last: with it all is
    there. Nothing that is there is written over."""

    name = FOLDER

    def __init__(self, deployment: Deployment, ctx: TenantContext) -> None:
        self._deployment, self._ctx = deployment, ctx

    async def send(self, application: Submission) -> str:
        """Raises ConnectorError where the folder cannot be written, or holds another application of this reference."""
        name = folder_name(settings_of(self._ctx).folder)
        if not name:
            raise ConnectorError("the tenant file names no folder for applications")
        folder = self._deployment.settings.home / "applications" / self._ctx.slug / name
        page = as_page(self._deployment, self._ctx, application)
        try:
            return await asyncio.to_thread(write, folder, application, page)
        except OSError as error:
            raise ConnectorError(f"the folder {name} cannot be written: {error.strerror}") from None


def write(folder: Path, application: Submission, page: bytes) -> str:
    """The name of the JSON file; the same for an application that is there. Raises OSError, ConnectorError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"{application.reference}.json"
    if target.exists():
        return _known(target, application)
    _put(target.with_suffix(".html"), page)
    if not _put(target, papers.as_json(application)):
        return _known(target, application)
    return target.name


def _known(path: Path, application: Submission) -> str:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Identified)
    except msgspec.DecodeError:
        found = Identified("")
    if found.id != str(application.id):
        raise ConnectorError("the folder holds another application of this reference")
    return path.name


def _put(path: Path, content: bytes) -> bool:
    """Whether the file was not there yet. It is there whole, or not at all, also after a power cut."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part") as file:  # made with mode 0600
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        try:
            path.hardlink_to(file.name)
        except FileExistsError:
            return False
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return True


class EmailConnector:
    """A mail with both files to the address of the tenant file, by the providers that carry the tenant's mail."""

    name = EMAIL

    def __init__(self, deployment: Deployment, ctx: TenantContext) -> None:
        self._deployment, self._ctx = deployment, ctx

    async def send(self, application: Submission) -> str:
        """Raises ConnectorError: also in a rehearsal to an address that does not rehearse."""
        recipient = settings_of(self._ctx).email
        rehearsal = notices.settings_of(self._ctx).rehearsal
        if not recipient or (rehearsal is not None and recipient not in rehearsal.recipients):
            raise ConnectorError("this address gets no mail: none is named, or it does not take part in the rehearsal")
        message = self._message(application, recipient)
        async with self._deployment.database.tenant(self._ctx) as tx:
            channels = await notices.channels_for(self._deployment, tx, "email")
        last: ServicepunktError | None = None
        for channel in channels:
            try:
                return await channel.send(message)
            except ServicepunktError as error:
                last = error
        raise ConnectorError(last.staff_sentence if last else None)

    def _message(self, application: Submission, recipient: str) -> Message:
        def say(sentence: str) -> str:
            words = {"reference": application.reference, "service": application.title}
            return self._deployment.texts.translate(self._ctx.locale, sentence, **words)

        page = as_page(self._deployment, self._ctx, application)
        return Message(
            f"application-{application.id}",
            recipient,
            say(BODY),
            subject=" ".join(say(SUBJECT).split()),
            attachments=(
                Attachment(f"{application.reference}.json", "application/json", papers.as_json(application)),
                Attachment(f"{application.reference}.html", "text/html", page),
            ),
        )


def as_page(deployment: Deployment, ctx: TenantContext, application: Submission) -> bytes:
    return papers.as_page(
        application, lambda sentence: deployment.texts.translate(ctx.locale, sentence), locale=ctx.locale
    )


def connector_named(deployment: Deployment, ctx: TenantContext, name: str) -> ApplicationConnector:
    """Raises ConnectorError where no plugin that is on brings it."""
    own = (FolderConnector(deployment, ctx), EmailConnector(deployment, ctx))
    for connector in (*own, *deployment.plugins.flat(ctx, "application_connectors")):
        if connector.name == name:
            return connector  # type: ignore[no-any-return]  # its shape was looked at by the host
    raise ConnectorError(f"there is no connector {name!r}")


async def send(deployment: Deployment, ctx: TenantContext, name: str, application: Submission) -> str:
    """The receiver's reference. Raises ConnectorError, whatever the connector raises."""
    try:
        async with asyncio.timeout(SECONDS):
            receipt = await connector_named(deployment, ctx, name).send(application)
    except ConnectorError as error:
        log.warning("connector_failed", channel=name, reason=error.staff_sentence)
        raise
    except (Exception, SystemExit) as error:
        log.error("connector_failed", channel=name, hook="application_connectors", exc_info=error)
        raise ConnectorError from None
    if not isinstance(receipt, str) or not RECEIPT.fullmatch(receipt):
        raise ConnectorError("the receiver's reference is none")
    return receipt
