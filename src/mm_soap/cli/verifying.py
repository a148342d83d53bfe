"""mm-soap verify: check a signed or sealed file alone, and say what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from lxml import etree
from rich.text import Text

from mm_soap.cli.output import REFUSED, console, plain, print_json
from mm_soap.clock import Clock, system_clock
from mm_soap.contract.explanation import explain
from mm_soap.dsig import (
    Trust,
    VerifiedDelivery,
    VerifiedDocument,
    VerifiedSeal,
    seal_policy,
    sender_policy,
    verify_delivery,
    verify_sealed,
)
from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.message import Limits, check_delivery, read_delivery
from mm_soap.pki import OrganisationCertificate, TrustStore, organisation_number, subject_name
from mm_soap.sender import distribute_secure_request
from mm_soap.xml import MESSAGE_V3, SERVICE_V3, parse_untrusted, qname

_SIGNED: Final = (qname(MESSAGE_V3, "SignedDelivery"), qname(MESSAGE_V3, "signedDelivery"))
_SEALED: Final = (qname(MESSAGE_V3, "SealedDelivery"), qname(SERVICE_V3, "deliverSecure"))


@dataclass
class _Report:
    """What was found, as it is printed."""

    file: str
    valid: bool = False
    trusted: bool | None = None
    """Whether the signers' certificates are trusted; None if --trust was not given."""
    signatures: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)


class _AnyIssuer:
    """Takes every certificate that names an organisation and is valid today; who issued it is not looked at."""

    def check(
        self, certificate: x509.Certificate, intermediates: Sequence[x509.Certificate] = ()
    ) -> OrganisationCertificate:
        now = system_clock()
        if now > certificate.not_valid_after_utc:
            raise Refused(Refusal.CERTIFICATE_EXPIRED)
        if now < certificate.not_valid_before_utc:
            raise Refused(Refusal.CERTIFICATE_NOT_YET_VALID)
        return OrganisationCertificate(organisation_number(certificate), certificate)


def verify(file: Path, anchors: tuple[Path, ...], allow_sha1: bool, as_json: bool) -> None:
    """Print what holds and what does not; exit status 1 unless all of it holds."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from None
    report = _Report(str(file))
    try:
        _check(raw, report, anchors, allow_sha1)
    except Refused as refused:
        report.problems.append({"rule": refused.refusal.name, "place": refused.where, "remedy": refused.description})
        report.valid = False
        report.trusted = False if anchors and refused.refusal.name.startswith("CERTIFICATE") else report.trusted
    if as_json:
        print_json(vars(report))
    else:
        _print(report)
    if not report.valid:
        raise SystemExit(REFUSED)


def _check(raw: bytes, report: _Report, anchors: tuple[Path, ...], allow_sha1: bool) -> None:
    root = parse_untrusted(raw)
    raw = etree.tostring(root, encoding="UTF-8") if not _is_utf8(raw, root) else raw
    root = parse_untrusted(raw)
    element = _payload(root)
    if element is None:
        report.problems.append(
            {
                "rule": "ROOT",
                "place": str(root.tag),
                "remedy": "Give a SignedDelivery or a SealedDelivery of Message/v3.",
            }
        )
        return
    trust = _trust(anchors, allow_sha1)
    verified: VerifiedDocument
    if element.tag in _SIGNED:
        verified = delivery = verify_delivery(raw, element, trust)
    else:
        sealed = verify_sealed(raw, element, trust)
        verified, delivery = sealed, sealed.delivery
    report.valid = True
    report.trusted = True if anchors else None
    if isinstance(verified, VerifiedSeal):
        report.signatures.append(_row("seal", verified) | {"received": verified.received.isoformat()})
    report.signatures.append(_row("sender", delivery))
    _check_rules(delivery, report)


def _check_rules(delivery: VerifiedDelivery, report: _Report) -> None:
    """Add what is wrong with the content; the signatures hold all the same."""
    name = qname(MESSAGE_V3, "signedDelivery")
    problems = explain(parse_untrusted(distribute_secure_request(delivery.document)))
    report.problems.extend(
        {"rule": "SCHEMA", "place": place or name, "remedy": remedy} for place, _, remedy, _ in problems
    )
    if not problems:
        check_delivery(read_delivery(delivery.root), Limits(check_digits=False))
    else:
        report.valid = False


def _payload(root: etree._Element) -> etree._Element | None:
    if root.tag in (*_SIGNED, *_SEALED) and root.find("{*}Signature") is not None:
        return root
    # In an envelope the operation is called as its payload is: the innermost is meant.
    found = [each for each in root.iter(*_SEALED, *_SIGNED) if each.find("{*}Signature") is not None]
    return found[0] if found else None


def _is_utf8(raw: bytes, root: etree._Element) -> bool:
    return (root.getroottree().docinfo.encoding or "UTF-8").upper() in ("UTF-8", "ASCII", "US-ASCII")


def _trust(anchors: tuple[Path, ...], allow_sha1: bool) -> Trust:
    clock: Clock = system_clock
    policy = sender_policy().with_sha1() if allow_sha1 else sender_policy()
    store = TrustStore.load(anchors, clock) if anchors else _AnyIssuer()
    return Trust(store, policy, seal_policy(), clock)


def _row(kind: str, verified: VerifiedDocument) -> dict[str, Any]:
    certificate = verified.signer.certificate
    return {
        "signature": kind,
        "signer": verified.signer.organisation,
        "subject": subject_name(certificate),
        "certificate_valid_until": certificate.not_valid_after_utc.isoformat(),
        "signed_form": verified.form.value,
    }


def _print(report: _Report) -> None:
    out = console()
    for row in report.signatures:
        holds = f"The {row['signature']}'s signature holds: {row['signer']}, signed {row['signed_form']}"
        out.print(Text.assemble(("✓ ", "green"), plain(holds)))
        out.print(plain(f"  {row['subject']}, valid until {row['certificate_valid_until']}"))
    for problem in report.problems:
        place = f" at {problem['place']}" if problem["place"] else ""
        out.print(Text.assemble(("✗ ", "red"), plain(f"{problem['rule']}{place}: {problem['remedy']}")))
    if report.valid and report.trusted is None:
        out.print("[yellow]![/] Who issued the certificates was not checked: give --trust CERT.")
