"""The files by which the dispatcher and a print supplier understand each other.

``docs/reference/print-manifest.schema.json`` and ``print-acknowledgement.schema.json`` are the schemas written out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

VERSION: Final = 1
MANIFEST: Final = "manifest.json"

Job = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PrintedFile(_Row):
    """A file of the job."""

    path: str = Field(description="Below the job's folder, with slashes.")
    role: Literal["letter", "attachment", "body"] = Field(
        description="The letter is printed, then the attachments in this order. A body is what the letter was made of."
    )
    content_type: str
    bytes: int = Field(ge=0)
    sha256: Sha256 = Field(description="Of the file, in hexadecimal.")
    message_id: str | None = Field(default=None, description="The MessageHeader.Id of the message that it belongs to.")


class Manifest(_Row):
    """manifest.json: what a job holds. One job is one envelope."""

    version: Literal[1] = VERSION
    job: Job = Field(description="The dispatcher's distribution id: the name of the folder and of the acknowledgement.")
    sender: str = Field(description="The sender's organisation number, 12 digits.")
    sender_name: str
    return_address: tuple[str, ...] = ()
    address: tuple[str, ...] = Field(description="Name and postal address, line by line, as in the letter's window.")
    made: datetime
    files: tuple[PrintedFile, ...]


class AcknowledgementFile(_Row):
    """JOB.json: what became of a job."""

    version: Literal[1] = VERSION
    job: Job
    result: Literal["printed", "refused"]
    reason: Literal["address", "content", "damaged", "other"] | None = Field(
        default=None,
        description="Why it was refused: the address cannot be delivered to, the content cannot be printed, a checksum "
        "is wrong, or something else.",
    )
    at: datetime = Field(description="When, with a time zone.")
    reference: Annotated[str, StringConstraints(max_length=100)] = Field(
        default="", description="The supplier's own id of the job, for questions."
    )


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema of a job's manifest."""
    return Manifest.model_json_schema()


def acknowledgement_schema() -> dict[str, Any]:
    """Return the JSON Schema of an acknowledgement."""
    return AcknowledgementFile.model_json_schema()
