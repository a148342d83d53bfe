"""mm-soap verify: check a signed or sealed file alone, and say what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree
from rich.text import Text

from mm_soap.bootstrap_revocation import revocation_of
from mm_soap.cli.output import REFUSED, console, plain, print_json
from mm_soap.clock import Clock, system_clock
from mm_soap.config import load
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
from mm_soap.dsig.diagnosis import Canonical, Finding, diagnose, not_utf8
from mm_soap.errors import ConfigurationError, Refused
from mm_soap.message import Limits, check_delivery, read_delivery
from mm_soap.pki import TrustStore, subject_name
from mm_soap.pki.any_issuer import AnyIssuer
from mm_soap.pki.trust import Statuses
from mm_soap.sender import distribute_secure_request
from mm_soap.signed_files import SEALED, SIGNED, signed_element
from mm_soap.xml import MESSAGE_V3, parse_untrusted, qname


@dataclass
class _Report:
    """What was found, as it is printed."""

    file: str
    valid: bool = False
    trusted: bool | None = None
    """Whether the signers' certificates are trusted; None if --trust was not given."""
    signatures: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)
    """What was refused, and after it what a diagnosis found: rule, place and remedy of each."""
    canonical: list[dict[str, Any]] = field(default_factory=list)
    """The bytes that are hashed, as files, if --canonical was given."""


def verify(
    file: Path,
    anchors: tuple[Path, ...],
    config: Path | None,
    allow_sha1: bool,
    canonical: Path | None,
    as_json: bool,
) -> None:
    """Print what holds and what does not, and why; exit status 1 unless all of it holds."""
    settings = load(config) if config is not None else None
    if settings is not None:
        anchors = anchors or settings.trust.anchors
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from None
    report = _Report(str(file))
    statuses = revocation_of(settings, system_clock) if settings is not None else None
    trust = _trust(anchors, allow_sha1, statuses)
    signed = None
    try:
        signed = signed_element(raw)
        if signed is None:
            remedy = "Give a SignedDelivery or a SealedDelivery of Message/v3."
            report.problems.append({"rule": "ROOT", "place": str(parse_untrusted(raw).tag), "remedy": remedy})
        else:
            _check(*signed, report, trust)
            report.trusted = True if anchors else None
    except Refused as refused:
        report.problems.append({"rule": refused.refusal.name, "place": refused.where, "remedy": refused.description})
        report.valid = False
        report.trusted = False if anchors and refused.refusal.name.startswith("CERTIFICATE") else report.trusted
    if signed is None:
        report.problems.extend(_found(each) for each in [not_utf8(raw)] if each is not None)
    elif not report.signatures or canonical is not None:
        _explain(*signed, report, trust, canonical)
    if as_json:
        print_json(vars(report))
    else:
        _print(report)
    if not report.valid:
        raise SystemExit(REFUSED)


def _check(raw: bytes, element: etree._Element, report: _Report, trust: Trust) -> None:
    verified: VerifiedDocument
    if element.tag in SIGNED:
        verified = delivery = verify_delivery(raw, element, trust)
    else:
        sealed = verify_sealed(raw, element, trust)
        verified, delivery = sealed, sealed.delivery
    report.valid = True
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


def _explain(raw: bytes, element: etree._Element, report: _Report, trust: Trust, folder: Path | None) -> None:
    """Add why the signatures do not hold, and write what is hashed."""
    for diagnosis in diagnose(raw, element, trust, sealed=element.tag in SEALED):
        report.problems.extend(_found(each) | {"signature": diagnosis.kind} for each in diagnosis.findings)
        if folder is not None:
            report.canonical.extend(_written(folder, diagnosis.kind, each) for each in diagnosis.canonical)


def _found(finding: Finding) -> dict[str, str]:
    return {"rule": finding.rule, "place": finding.place, "remedy": finding.remedy}


def _written(folder: Path, kind: str, canonical: Canonical) -> dict[str, Any]:
    file = folder / f"{kind}-{canonical.part}-{canonical.form}.xml".replace(" ", "-").lower()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(canonical.text)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from None
    return {
        "file": str(file),
        "signature": kind,
        "part": canonical.part,
        "form": canonical.form,
        "algorithm": canonical.algorithm,
        "computed": canonical.computed,
        "expected": canonical.expected,
        "holds": canonical.holds,
    }


def _trust(anchors: tuple[Path, ...], allow_sha1: bool, statuses: Statuses | None) -> Trust:
    clock: Clock = system_clock
    policy = sender_policy().with_sha1() if allow_sha1 else sender_policy()
    store = TrustStore.load(anchors, clock, statuses) if anchors else AnyIssuer(clock)
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
        out.print(Text.assemble(("✗ ", "red"), plain(f"{problem['rule']}{place}: {problem['remedy']}")), soft_wrap=True)
    for one in report.canonical:
        mark = ("✓ ", "green") if one["holds"] else ("✗ ", "red")
        signed = f"; the signer hashed {one['expected']}" if one["expected"] else "; what was signed cannot be read"
        expected = "" if one["holds"] else signed
        of = f"{one['part']} of the {one['signature']}, {one['form']}: {one['algorithm']} {one['computed']}{expected}"
        out.print(Text.assemble(mark, plain(of)), soft_wrap=True)
        out.print(plain(f"  {one['file']}"), soft_wrap=True)
    if report.valid and report.trusted is None:
        out.print("[yellow]![/] Who issued the certificates was not checked: give --trust CERT.")
