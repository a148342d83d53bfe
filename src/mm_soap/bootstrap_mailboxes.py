"""The part of `mm_soap.bootstrap` that builds what an operator's mailboxes need."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Engine

from mm_soap.bootstrap_transport import account_client
from mm_soap.config import OperatorSettings, Settings
from mm_soap.housekeeping import Housekeeping
from mm_soap.service_supplier import (
    Blobs,
    Contents,
    FolderBlobs,
    MailboxService,
    Membership,
    Named,
    Retention,
    S3Blobs,
    Sweep,
    name_of_database,
)


def contents_of(own: OperatorSettings, database: Engine) -> Contents:
    """Return where an operator's bodies and attachments go.

    Each database has a place of its own there, by a name that only it knows: two never sweep up each other's.

    Raises:
        ConfigurationError: the folder or the bucket cannot be used.
    """
    return Contents(_blobs(own, name_of_database(database)), own.blobs.larger_than)


def mailbox_housekeeping(own: OperatorSettings, service: MailboxService) -> Housekeeping:
    """Return what follows an operator's rules for how long messages stay, and clears up after deletions."""
    contents, database = service.contents, service.database
    forgets = _retention(own, service.retention).forgets()
    chores = (lambda _: contents.delete_doomed(database), Sweep(contents, database))
    return Housekeeping(database, service.clock, *forgets, chores=chores)


def membership_of(settings: Settings, own: OperatorSettings, service: MailboxService) -> Membership:
    """Return what opens and closes an operator's mailboxes as the register says."""
    accounts = account_client(settings, own)

    def ask(recipients: Sequence[str]) -> dict[str, Named]:
        found = accounts.accounts(recipients)
        return {recipient: Named.by(one.active_at, own.organisation) for recipient, one in found.items()}

    return Membership(service, ask, own.register_check)


def _retention(own: OperatorSettings, evidence: timedelta) -> Retention:
    rules = own.retention
    days = (rules.trash_days, rules.read_days, rules.unread_days, rules.closed_days)
    trash, read, unread, closed = (timedelta(days=each) if each else None for each in days)
    return Retention(trash, read, unread, closed, evidence)


def _blobs(own: OperatorSettings, name: str) -> Blobs:
    if not own.blobs.bucket:
        return FolderBlobs(own.blobs.folder / name)
    bucket, _, prefix = own.blobs.bucket.removeprefix("s3://").partition("/")
    return S3Blobs.open(bucket, f"{prefix}/{name}" if prefix else name, own.blobs.endpoint, own.blobs.region)
