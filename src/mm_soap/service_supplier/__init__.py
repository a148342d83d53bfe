"""The mailbox operator (service supplier): receives sealed deliveries into the mailboxes of its recipients."""

from mm_soap.service_supplier.blobs import Blobs, FolderBlobs, NoBlobs
from mm_soap.service_supplier.blobs_s3 import S3Blobs
from mm_soap.service_supplier.cases import Case, CaseEvent, CaseLink, CasePage, Turn
from mm_soap.service_supplier.contacts import DAILY, EACH, EMAIL, SMS, Contact
from mm_soap.service_supplier.contents import Contents, Sweep, name_of_database
from mm_soap.service_supplier.deleting import forget_deliveries
from mm_soap.service_supplier.endpoint import PRECHECKS, service_handlers
from mm_soap.service_supplier.forwarding import ForwardingService
from mm_soap.service_supplier.inbox import Download, Inbox
from mm_soap.service_supplier.membership import Membership
from mm_soap.service_supplier.model import (
    ARCHIVE,
    INBOX,
    TRASH,
    AttachedFile,
    DeliveryOutcome,
    Fate,
    Folder,
    Forwarded,
    Kind,
    MessageSummary,
    Named,
    OpenedMessage,
    Page,
    StoredAttachment,
    StoredMessage,
    Told,
)
from mm_soap.service_supplier.notices import NoNotifier, Notice, NoticeNotTaken, NoticeRules, Notifier
from mm_soap.service_supplier.notifying import NotifyingService
from mm_soap.service_supplier.outbox import Outbox
from mm_soap.service_supplier.post_notices import late_notices
from mm_soap.service_supplier.retention import Retention
from mm_soap.service_supplier.returns import Return, take_back
from mm_soap.service_supplier.service import MailboxService
from mm_soap.service_supplier.sign_ins import SignIns
from mm_soap.service_supplier.takeout import export_mailbox

__all__ = [
    "ARCHIVE",
    "DAILY",
    "EACH",
    "EMAIL",
    "INBOX",
    "PRECHECKS",
    "SMS",
    "TRASH",
    "AttachedFile",
    "Blobs",
    "Case",
    "CaseEvent",
    "CaseLink",
    "CasePage",
    "Contact",
    "Contents",
    "DeliveryOutcome",
    "Download",
    "Fate",
    "Folder",
    "FolderBlobs",
    "Forwarded",
    "ForwardingService",
    "Inbox",
    "Kind",
    "MailboxService",
    "Membership",
    "MessageSummary",
    "Named",
    "NoBlobs",
    "NoNotifier",
    "Notice",
    "NoticeNotTaken",
    "NoticeRules",
    "Notifier",
    "NotifyingService",
    "OpenedMessage",
    "Outbox",
    "Page",
    "Retention",
    "Return",
    "S3Blobs",
    "SignIns",
    "StoredAttachment",
    "StoredMessage",
    "Sweep",
    "Told",
    "Turn",
    "export_mailbox",
    "forget_deliveries",
    "late_notices",
    "name_of_database",
    "service_handlers",
    "take_back",
]
