"""Reports of failed deliveries that come back as e-mail."""

from __future__ import annotations

from email.message import EmailMessage, MIMEPart
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_soap.channels import MOST_OF_A_REPORT, FailedDelivery, failed_deliveries

MARK = "0123456789abcdef0123456789abcdef"


def report(
    status: str = "5.1.1",
    action: str = "failed",
    message_id: str = f"<{MARK}@brevlada.example>",
    recipients: int = 1,
    whole: bool = True,
) -> bytes:
    """A report as mail servers write it."""
    fields = "".join(
        f"\r\nFinal-Recipient: rfc822; nagon{number}@example.org\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 no such user nagon@example.org\r\n"
        for number in range(recipients)
    )
    original = f"From: post@brevlada.example\r\nMessage-ID: {message_id}\r\nSubject: Ny post\r\n\r\n"
    kind = "message/rfc822" if whole else "text/rfc822-headers"
    return (
        "From: MAILER-DAEMON@example.org\r\nTo: post@brevlada.example\r\nSubject: Undelivered\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nNo.\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; example.org\r\n{fields}\r\n"
        f"--b\r\nContent-Type: {kind}\r\n\r\n{original}\r\n--b--\r\n"
    ).encode()


@pytest.mark.parametrize("whole", [True, False])
def test_a_report_names_what_came_back(whole: bool) -> None:
    assert failed_deliveries(report(whole=whole)) == [FailedDelivery(MARK, "it came back with status 5.1.1")]


@pytest.mark.parametrize(
    "raw",
    [
        report(action="delayed"),
        report(status="4.2.2"),
        report(status="5.7.1"),
        report(status="5.1"),
        report(recipients=2),
        report(recipients=0),
        report(message_id="<another@brevlada.example>"),
        report(message_id=f"{MARK}@brevlada.example"),
        report().replace(b"multipart/report", b"multipart/mixed"),
        report().replace(b"message/delivery-status", b"text/plain"),
        report() + b" " * MOST_OF_A_REPORT,
        b"",
        b"\xff\x00",
    ],
)
def test_what_is_none(raw: bytes) -> None:
    assert failed_deliveries(raw) == []


def test_the_headers_in_another_encoding() -> None:
    made = EmailMessage(SMTP)
    made["Content-Type"] = 'multipart/report; report-type="delivery-status"'
    status = MIMEPart(SMTP)
    status["Content-Type"] = "message/delivery-status"
    first, second = EmailMessage(), EmailMessage()
    first["Reporting-MTA"] = "dns; x"
    second["Final-Recipient"], second["Action"], second["Status"] = "rfc822; a@b.example", "Failed", "5.2.1 (gone)"
    status.set_payload([first, second])
    headers = MIMEPart(SMTP)
    headers.set_content(f"Subject: a\nMessage-ID: <{MARK}@x.example>\n", subtype="rfc822-headers", cte="base64")
    made.set_payload([status, headers])
    assert failed_deliveries(made.as_bytes()) == [FailedDelivery(MARK, "it came back with status 5.2.1")]


@given(st.integers(0, 1000), st.binary(max_size=20), st.integers(0, 40))
def test_a_report_that_is_damaged_ends_in_no_error(at: int, instead: bytes, length: int) -> None:
    raw = report()
    for one in failed_deliveries(raw[:at] + instead + raw[at + length :]):
        assert len(one.id) == 32
        assert len(one.reason) < 60
