"""The settings of an operator's mailboxes: where large contents are, and how long messages stay."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from mm_soap.config_types import File, Table, Url


class BlobSettings(Table):
    """[operator.blobs]: where large bodies and attachments are kept, outside the database."""

    folder: File = Field(default=Path("data/blobs"), description="A folder for them, made when it is not there.")
    bucket: str = Field(
        default="",
        description="s3://BUCKET or s3://BUCKET/PREFIX: in a bucket instead of the folder. Needs mm-soap[s3]; the "
        "credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    )
    endpoint: Url = Field(default="", description="The address of the bucket's service; empty for Amazon's own.")
    region: str = Field(default="", description="The bucket's region; empty for what AWS_REGION says.")
    larger_than: int = Field(
        default=1_048_576, ge=0, description="What is longer goes there, in bytes; the rest into the database."
    )

    @field_validator("bucket")
    @classmethod
    def _a_bucket(cls, value: str) -> str:
        name, _, _ = value.removeprefix("s3://").partition("/")
        if value and (not value.startswith("s3://") or not name):
            raise PydanticCustomError("bucket", "must be s3://BUCKET or s3://BUCKET/PREFIX")
        return value.rstrip("/")


class RetentionSettings(Table):
    """[operator.retention]: when messages are deleted. 0 stands for never."""

    trash_days: int = Field(default=30, ge=0, description="How many days after its recipient threw it away.")
    read_days: int = Field(
        default=0, ge=0, description="How many days after it was first read; what is archived stays."
    )
    unread_days: int = Field(
        default=0, ge=0, description="How many days after it came, while it is unread; what is archived stays."
    )
    closed_days: int = Field(
        default=90, ge=0, description="How many days after the mailbox was closed, with the mailbox itself."
    )
