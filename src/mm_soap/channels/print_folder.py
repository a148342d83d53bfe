"""Paper: a folder that a print supplier fetches jobs from, and puts acknowledgements into.

::

    FOLDER/jobs/JOB/            manifest.json, letter.pdf, messages/, attachments/: whole from the moment it is there
    FOLDER/acknowledgements/    JOB.json, by the supplier
    FOLDER/.making/             the dispatcher's own

A job is made beside, put on disk, and moved to its place in one step. The supplier copies it and takes nothing away:
the dispatcher does that, after it has read the acknowledgement. So a job that is there was handed over, whatever the
dispatcher remembers, and is not made a second time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from mm_soap.channels.model import ChannelError, ChannelName, Letter, Sent
from mm_soap.channels.print_format import MANIFEST, AcknowledgementFile, Manifest, PrintedFile
from mm_soap.channels.typeset import Typesetter
from mm_soap.folders import synchronise
from mm_soap.message import safe_filename
from mm_soap.message.attachments import media_type
from mm_soap.watched_file import places

_log = logging.getLogger(__name__)
_MOST_BYTES: Final = 65_536
_REASONS: Final = {
    "address": "it cannot deliver to the address",
    "content": "it cannot print the content",
    "damaged": "a checksum was wrong",
}


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the print supplier says of a job."""

    job: str
    printed: bool
    reason: str = ""
    """Why it was refused, as part of a sentence."""
    reference: str = ""


@dataclass
class PrintFolder:
    """Hands letters over as jobs. The folders are made if they are not there.

    Args:
        folder: on one file system, and the dispatcher's and the print supplier's alone: it holds letters.
        typesetter: makes the PDF.
    """

    folder: Path
    typesetter: Typesetter
    name: ChannelName = field(default=ChannelName.PRINT, init=False)
    _complained: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def obstacle(self, letter: Letter) -> str | None:
        """Return why this letter cannot be printed."""
        return None if letter.contact.address and letter.contact.name else "no postal address is known"

    def send(self, letter: Letter) -> Sent:
        """Put a job where the supplier finds it, unless it is there already."""
        if not (self._jobs / letter.id / MANIFEST).exists() and not self._answer(letter.id).exists():
            pdf = self.typesetter.pdf(letter)
            try:
                self._hand_over(letter, pdf)
            except OSError as error:
                cause = error.strerror or type(error).__name__
                raise ChannelError(f"the print folder cannot be written: {cause}", technical=True) from None
        return Sent(letter.id, arrived=False)

    def acknowledgements(self) -> Iterator[Acknowledgement]:
        """Yield what the supplier said and was not settled yet.

        What is not an acknowledgement, or not yet, is left where it is; the log says so once.

        Raises:
            ChannelError: the folder cannot be read.
        """
        try:
            files = sorted(self._answers.glob("[!.]*.json")) if self._answers.exists() else []
        except OSError as error:
            cause = error.strerror or type(error).__name__
            raise ChannelError(f"the print folder cannot be read: {cause}", technical=True) from None
        for file in files:
            found = self._read(file)
            if found is not None:
                yield found

    def settle(self, job: str) -> None:
        """Take a job and its acknowledgement away, after what became of it was written down."""
        self._remove(job)
        with suppress(OSError):
            self._answer(job).unlink(missing_ok=True)

    def withdraw(self, job: str) -> None:
        """Take a job away that nobody acknowledged."""
        self._remove(job)

    @property
    def _jobs(self) -> Path:
        return self.folder / "jobs"

    @property
    def _answers(self) -> Path:
        return self.folder / "acknowledgements"

    @property
    def _making(self) -> Path:
        return self.folder / ".making"

    def _answer(self, job: str) -> Path:
        return self._answers / f"{job}.json"

    def _remove(self, job: str) -> None:
        # First out of sight as a whole, so that the supplier never sees half of it.
        gone = self._making / f"{job}.gone"
        with suppress(OSError):
            self._making.mkdir(mode=0o700, exist_ok=True)
            if (self._jobs / job).exists():
                (self._jobs / job).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _hand_over(self, letter: Letter, pdf: bytes) -> None:
        for folder in (self.folder, self._jobs, self._answers, self._making):
            folder.mkdir(mode=0o770, parents=True, exist_ok=True)
        making = self._making / letter.id
        shutil.rmtree(making, ignore_errors=True)  # of an attempt that was cut off
        making.mkdir(mode=0o770)
        contents = dict(_files(letter, pdf))
        for printed, content in contents.items():
            _write(making / printed.path, content)
        manifest = Manifest(
            job=letter.id,
            sender=letter.origin.organisation,
            sender_name=letter.origin.name,
            return_address=letter.origin.address,
            address=(letter.contact.name, *([letter.attention] if letter.attention else []), *letter.contact.address),
            made=letter.begun,
            files=tuple(contents),
        )
        _write(making / MANIFEST, (manifest.model_dump_json(indent=1) + "\n").encode())
        for folder in {(making / printed.path).parent for printed in contents} | {making, self._making}:
            synchronise(folder)
        making.rename(self._jobs / letter.id)
        synchronise(self._jobs)

    def _read(self, file: Path) -> Acknowledgement | None:
        try:
            mark = file.stat().st_mtime_ns
            if self._complained.get(file.name) == mark:
                return None
            with file.open("rb") as opened:
                said = AcknowledgementFile.model_validate_json(opened.read(_MOST_BYTES))
        except ValidationError as error:
            self._complained[file.name] = mark
            _log.error("An acknowledgement of the print supplier cannot be used: %s", "; ".join(places(error)))
            return None
        except OSError:
            return None  # it comes again, or it is gone
        if said.job != file.stem:
            self._complained[file.name] = mark
            _log.error("An acknowledgement of the print supplier has another name than its job.")
            return None
        self._complained.pop(file.name, None)
        reason = _REASONS.get(said.reason or "", "it did not say why")
        return Acknowledgement(said.job, said.result == "printed", reason, said.reference)


def _files(letter: Letter, pdf: bytes) -> Iterator[tuple[PrintedFile, bytes]]:
    yield _file("letter.pdf", "letter", "application/pdf", pdf), pdf
    for number, message in enumerate(letter.messages, start=1):
        kind = media_type(message.content_type)
        path = f"messages/{number}.{'html' if kind == 'text/html' else 'txt'}"
        yield _file(path, "body", kind, message.body, message.id), message.body
        for place, attachment in enumerate(message.attachments, start=1):
            path = f"attachments/{number}-{place}-{safe_filename(attachment.filename)}"
            kind = media_type(attachment.content_type)
            yield _file(path, "attachment", kind, attachment.body, message.id), attachment.body


def _file(path: str, role: str, content_type: str, content: bytes, message_id: str | None = None) -> PrintedFile:
    return PrintedFile.model_validate(
        {
            "path": path,
            "role": role,
            "content_type": content_type,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "message_id": message_id,
        }
    )


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o770, exist_ok=True)
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
