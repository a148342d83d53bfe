"""E-mail over SMTP."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import EmailMessage
from pathlib import Path
from typing import Final, Literal

from mm_soap.channels.email_message import email_of, emails_of, message_id, written_id
from mm_soap.channels.model import ChannelError, ChannelName, Letter, Sent, WrittenEmail

Security = Literal["starttls", "tls", "none"]

_PERMANENT: Final = 500
_OF_AN_ADDRESS: Final = range(550, 555)
"""What RCPT is refused with for the sake of the address. The others are about the session, such as a missing login."""
_POLICY_STATUS: Final = re.compile(rb"5\.7\.")
"""An enhanced status of security or policy: who sends is refused, not where it goes. Source: RFC 3463, 3.8."""


@dataclass(frozen=True)
class SmtpChannel:
    """Hands e-mail to a mail server, with a connection for each letter.

    A letter that is sent again, since nobody knows whether it went, has the same Message-ID. A mail server that keeps
    one for a while drops the second; another delivers it, and the reader's program may show both.

    Args:
        host, port: the mail server.
        security: ``starttls``, ``tls`` from the first byte, or ``none``. The certificate is checked.
        user, password: for a server that wants them; they are sent under TLS alone.
        timeout: for each answer, in seconds.
        anchors: PEM file of the authorities to trust; the system's without it.
    """

    host: str
    port: int
    security: Security = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 30.0
    anchors: Path | None = None
    name: ChannelName = field(default=ChannelName.EMAIL, init=False)

    def obstacle(self, letter: Letter) -> str | None:
        """Return why this letter cannot go by e-mail."""
        if not letter.contact.email:
            return "no e-mail address is known"
        return None if letter.origin.email else "the sender has no e-mail address in the settings"

    def send(self, letter: Letter) -> Sent:
        """Hand the e-mails of a letter to the mail server."""
        self._hand_over(lambda: emails_of(letter), letter.origin.email, letter.contact.email)
        return Sent(message_id(letter, 1))

    def send_written(self, written: WrittenEmail) -> Sent:
        """Hand an e-mail that is written already to the mail server.

        Raises:
            ChannelError: it did not go, or nobody knows whether it went; then the error is technical.
        """
        self._hand_over(lambda: [email_of(written)], written.origin.email, written.to)
        return Sent(written_id(written))

    def _hand_over(self, write: Callable[[], Sequence[EmailMessage]], sender: str, to: str) -> None:
        try:
            emails = write()
        except (ValueError, LookupError, MessageError):
            raise ChannelError("it cannot be written as e-mail", technical=False) from None
        try:
            with self._connect() as server:
                for email in emails:
                    _send(server, email, sender, to)
        except smtplib.SMTPResponseException as error:
            # Of the greeting, TLS and the login: whoever runs this has to mend it, then the letter goes.
            raise ChannelError(f"the mail server answered {error.smtp_code}", technical=True) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            # Their texts may hold addresses.
            raise ChannelError(f"no answer from the mail server, {type(error).__name__}", technical=True) from None

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=self.anchors and str(self.anchors))
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.user and self.security != "none":
                server.login(self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server


def _send(server: smtplib.SMTP, email: EmailMessage, sender: str, to: str) -> None:
    try:
        server.send_message(email, sender, [to])
    except smtplib.SMTPRecipientsRefused as error:
        ((code, said),) = error.recipients.values()
        raise _refused("the address", code, of_address=not _POLICY_STATUS.match(said)) from None
    except smtplib.SMTPDataError as error:
        raise _refused("the message", error.smtp_code) from None
    except smtplib.SMTPNotSupportedError:
        raise ChannelError("the mail server does not take addresses of this kind", technical=False) from None


def _refused(what: str, code: int, *, of_address: bool = False) -> ChannelError:
    later = code < _PERMANENT
    reason = f"the mail server {'put off' if later else 'refused'} {what} with {code}"
    return ChannelError(reason, technical=later, address=of_address and code in _OF_AN_ADDRESS)
