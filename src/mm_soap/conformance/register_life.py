"""The life of an account, call by call, with the signatures of a test person. It leaves no account behind."""

from __future__ import annotations

from typing import Final

from lxml import etree

from mm_soap.conformance.model import Cases, NotTried
from mm_soap.conformance.register_lookups import rows
from mm_soap.conformance.register_requests import account, identity, preferences, verify
from mm_soap.conformance.register_soap import CODED
from mm_soap.conformance.register_target import Register, expect, value
from mm_soap.user_signatures import UserSignature

CASES: Final = Cases[Register]("register")
_MACHINE: Final = "services, the state machine"
_LOOKS: Final = ("isRegistered.unknown-type", "isReachable.unknown-type")


def _person(register: Register) -> str:
    return register.person.personal_number


def _text(register: Register, what: str) -> str:
    # A signature counts once: each text is another one.
    return f"Conformance test: {what}. {register.run}"


def _sign(register: Register, text: str) -> UserSignature:
    return register.person.sign_xml(text, nonce=register.run)


def _account(register: Register, operation: str, what: str) -> bytes:
    text = _text(register, what)
    return account(operation, _person(register), register.plan.operator_name, text, _sign(register, text))


def _type(register: Register) -> str | None:
    return rows(register, "isRegistered", [_person(register)]).the("Type")


def _status(answer: etree._Element) -> None:
    found = value(answer, "return/Status")
    expect(found == "Complete", f"The Status must be Complete; it is {found}.", "return/Status")


@CASES.case(
    "verifyAuthorizedSignatures.real",
    rule="services, verifyAuthorizedSignatures",
    remedy="Take a valid signature of the person itself as enough, and answer Complete.",
    needs=CODED,
)
def verified(register: Register) -> None:
    """verifyAuthorizedSignatures answers Complete for the person's own valid signature."""
    text = _text(register, "verify")
    _status(register.ask("verifyAuthorizedSignatures", verify(_person(register), text, _sign(register, text))))


@CASES.case(
    "verifyAuthorizedSignatures.other-text",
    rule="errors, 5012 other user signature errors",
    remedy="Compare what was signed with the data of the request, and refuse with 5012 where they differ.",
    needs=CODED,
)
def verified_other(register: Register) -> None:
    """verifyAuthorizedSignatures refuses a valid signature under another text."""
    signature = _sign(register, _text(register, "another text"))
    request = verify(_person(register), _text(register, "verify"), signature)
    register.refused("verifyAuthorizedSignatures", request)


@CASES.case(
    "register.other-text",
    rule=f"{_MACHINE}: a signature that does not verify; errors, 5010",
    remedy="Compare what was signed with AgreementText, and refuse with 5010 where they differ.",
    needs=(*CODED, *_LOOKS),
)
def register_other(register: Register) -> None:
    """Register refuses a valid signature under another text, and stores nothing."""
    if _type(register) != "Not":
        raise NotTried("The test person has an account already: deregister it first.")
    signature = _sign(register, _text(register, "another text"))
    text = _text(register, "register")
    request = account("register", _person(register), register.plan.operator_name, text, signature)
    register.refused("register", request, 5010)
    expect(_type(register) == "Not", "An account was opened all the same.", "isRegistered")


@CASES.case(
    "register.person",
    rule=f"{_MACHINE}: none, register, enough signatures",
    remedy="Open an account at once where the person has signed, and answer Complete.",
    needs=_LOOKS,
)
def registered(register: Register) -> None:
    """Register opens an account with the person's own signature, and answers Complete."""
    if _type(register) != "Not":
        raise NotTried("The test person has an account already: deregister it first.")
    _status(register.ask("register", _account(register, "register", "register")))


def _has_account(register: Register) -> None:
    if _type(register) != "Secure":
        raise NotTried("The test person has no account: register comes first.")


@CASES.case(
    "register.active",
    rule=f"{_MACHINE}: active",
    remedy="Show a registered account in isRegistered and isReachable as soon as register has answered.",
    needs=("register.person",),
)
def active(register: Register) -> None:
    """A registered account is active at once, at the operator that registered it."""
    _ = register.person
    found = rows(register, "isReachable", [_person(register)])
    expect(found.the("Type") == "Secure", f"The Type is {found.the('Type')}.", "AccountStatus/Type")
    expect(found.the("Pending") in ("false", "0"), "The account is Pending.", "AccountStatus/Pending")
    operator = found.the("ServiceSupplier/Id")
    expect(operator == register.plan.operator, "It is another operator, or none.", "AccountStatus/ServiceSupplier")


@CASES.case(
    "register.again",
    rule=f"{_MACHINE}: active, register by anyone; errors, 5009",
    remedy="Refuse register for an active account with code 5009.",
    needs=("register.active", *CODED),
)
def again(register: Register) -> None:
    """Register refuses a recipient who has an active account with code 5009."""
    _has_account(register)
    register.refused("register", _account(register, "register", "register again"), 5009)


@CASES.case(
    "storeAccountPreferences.deselect",
    rule="services, storeAccountPreferences",
    remedy="Replace the list of accepted senders at once where the person has signed.",
    needs=("register.active",),
)
def deselect(register: Register) -> None:
    """storeAccountPreferences replaces the list, and isReachable follows it."""
    _has_account(register)
    for accepted in ([], [register.plan.sender]):
        text = _text(register, f"accept {len(accepted)}")
        request = preferences(_person(register), accepted, text, _sign(register, text))
        _status(register.ask("storeAccountPreferences", request))
        found = value(rows(register, "isReachable", [_person(register)]).only(), "SenderAccepted")
        wanted = "true" if accepted else "false"
        expect(found == wanted, f"SenderAccepted must be {wanted} after it; it is {found}.", "isReachable")


@CASES.case(
    "getPendingAccountRequest.active",
    rule="services, getPendingAccountRequest",
    remedy="Show pending requests alone: an account that is active waits for nothing.",
    needs=("register.active",),
)
def nothing_pending(register: Register) -> None:
    """getPendingAccountRequest shows nothing for an active account."""
    _has_account(register)
    request = identity("getPendingAccountRequest", _person(register), _person(register))
    found = register.ask("getPendingAccountRequest", request)
    expect(len(found) == 0, "Something is shown as pending.", "return")


@CASES.case(
    "deregister.other-text",
    rule="services, deregister; errors, 5012",
    remedy="Compare what was signed with AgreementText, and refuse where they differ.",
    needs=("register.active", *CODED),
)
def deregister_other(register: Register) -> None:
    """Deregister refuses a valid signature under another text, and the account stays."""
    _has_account(register)
    signature = _sign(register, _text(register, "another text"))
    text = _text(register, "deregister")
    request = account("deregister", _person(register), register.plan.operator_name, text, signature)
    register.refused("deregister", request)
    expect(_type(register) == "Secure", "The account was closed all the same.", "isRegistered")


@CASES.case(
    "deregister.person",
    rule="services, deregister: a person, signed by that person",
    remedy="Close the account at once where the person has signed, and answer Type Not from then on.",
    needs=("register.person",),
)
def deregistered(register: Register) -> None:
    """Deregister closes the account with the person's own signature."""
    _has_account(register)
    _status(register.ask("deregister", _account(register, "deregister", "deregister")))
    found = _type(register)
    expect(found == "Not", f"isRegistered still says {found}.", "isRegistered")
