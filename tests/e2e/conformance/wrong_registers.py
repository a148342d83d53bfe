"""Registers that are wrong in one thing, and the case that must find it."""

from __future__ import annotations

import itertools
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace

from mm_soap.conformance.register_requests import JUNK
from mm_soap.demonstration import KOMMUN_A, RECIPIENT, RECIPIENT_AT_TWO, RECIPIENT_WITHOUT_B
from mm_soap.soap.envelope import wrap
from mm_soap.xml import COMMON_V3, RECIPIENT_V2, RECIPIENT_V3, SOAP_ENVELOPE

from .proxy import Asked, Said, Wrong

_ROW = re.compile(rb"<return>.*?</return>", re.DOTALL)
_ID = re.compile(rb"<recipientId>[^<]*</recipientId>")
_CALL_ID = re.compile(rb"(?<=CallId>)[0-9a-f-]{36}")
_OPERATOR = (
    b"<r:ServiceSupplier><r:Id>165599999918</r:Id><r:Name>N</r:Name><r:ServiceAdress>http://x</r:ServiceAdress>"
    b"<r:InternalServiceAdress>http://x</r:InternalServiceAdress></r:ServiceSupplier>"
)
_JUNK = b64encode(JUNK.signature).decode()
_counter = itertools.count()


def fault(code: int) -> Said:
    text = f"""<e:Envelope xmlns:e="{SOAP_ENVELOPE}"><e:Body><e:Fault><faultcode>e:Client</faultcode>
<faultstring>No.</faultstring><detail><applicationFault xmlns="{COMMON_V3}"><ErrorCode>{code}</ErrorCode>
<Description>No.</Description><CallId>{next(_counter):030}</CallId></applicationFault></detail></e:Fault></e:Body>
</e:Envelope>"""
    return Said(500, text.encode())


def answered(operation: str, change: Callable[[bytes], bytes]) -> Wrong:
    """Changes the answers of an operation that are no faults."""
    name = f"{operation}Response".encode()

    def says(asked: Asked, said: Said) -> Said:
        return replace(said, body=change(said.body)) if name in said.body else said

    return Wrong(says=says)


def faulty(change: Callable[[bytes], bytes], status: int = 500) -> Wrong:
    """Changes faults."""

    def says(asked: Asked, said: Said) -> Said:
        return Said(status, change(said.body)) if b"Fault>" in said.body else said

    return Wrong(says=says)


def every(change: Callable[[bytes], bytes], kind: str = "text/xml; charset=utf-8") -> Wrong:
    """Changes all that is answered to POST."""

    def says(asked: Asked, said: Said) -> Said:
        if asked.method != "POST" or b"Envelope" not in said.body:
            return said
        return replace(said, body=change(said.body), headers={**said.headers, "Content-Type": kind})

    return Wrong(says=says)


def read(change: Callable[[bytes], bytes], *words: str) -> Wrong:
    """Understands requests that hold these words in another way."""
    return Wrong(asks=lambda asked: replace(asked, body=change(asked.body)) if asked.has(*words) else asked)


def instead(answer: Callable[[], Said], *words: str) -> Wrong:
    """Answers requests that hold these words by itself."""
    return Wrong(asks=lambda asked: answer() if asked.has(*words) else asked)


def coded(operation: str, old: int, new: int) -> Wrong:
    """Changes one code of an operation."""

    def says(asked: Asked, said: Said) -> Said:
        old_code, new_code = (f"ErrorCode>{code}<".encode() for code in (old, new))
        return replace(said, body=said.body.replace(old_code, new_code)) if asked.has(f"<{operation} ") else said

    return Wrong(says=says)


def _reverse(body: bytes) -> bytes:
    rows = _ROW.findall(body)
    return body.replace(b"".join(rows), b"".join(reversed(rows)))


def _once(body: bytes) -> bytes:
    rows = _ROW.findall(body)
    return body.replace(b"".join(rows), b"".join(dict.fromkeys(rows)))


def _rows(change: Callable[[bytes], bytes], word: bytes) -> Callable[[bytes], bytes]:
    return lambda body: _ROW.sub(lambda row: change(row[0]) if word in row[0] else row[0], body)


def _cut_to(most: int) -> Callable[[Asked], Asked]:
    def asks(asked: Asked) -> Asked:
        ids = _ID.findall(asked.body)
        return (
            replace(asked, body=asked.body.replace(b"".join(ids), b"".join(ids[:most]))) if len(ids) > most else asked
        )

    return asks


def _limited(most: int) -> Callable[[Asked], Asked | Said]:
    return lambda asked: fault(5005) if len(_ID.findall(asked.body)) > most and asked.has("<isRegistered ") else asked


def _unknown_is_a_fault(asked: Asked, said: Said) -> Said:
    return fault(5003) if b"isReachableResponse" in said.body and b"Type>Not<" in said.body else said


def _accepts_a_surplus_id(asked: Asked) -> Asked:
    return _cut_to(1000)(asked) if asked.has("<isRegistered ") else asked


def _echo(asked: Asked, said: Said) -> Said:
    sent = re.search(rb"<recipientId>(k[0-9a-f]+)<", asked.body)
    return replace(said, body=said.body.replace(b"Description>The", b"Description>" + sent[1], 1)) if sent else said


def _signed(operation: str) -> Callable[[], Said]:
    def answer() -> Said:
        status = (
            '<return><a:Status xmlns:a="http://minameddelanden.gov.se/schema/Authority">Complete</a:Status></return>'
        )
        element = f'<{operation}Response xmlns="{RECIPIENT_V3}">{status}</{operation}Response>'
        return Said(200, f'<e:Envelope xmlns:e="{SOAP_ENVELOPE}"><e:Body>{element}</e:Body></e:Envelope>'.encode())

    return answer


def _first_element(body: bytes) -> bytes:
    start = body.index(b"<isRegistered")
    end = body.index(b"</isRegistered>") + len(b"</isRegistered>")
    return body[:end] + body[end:].replace(body[start:end], b"")


def _needs_action(asked: Asked) -> Asked | Said:
    return asked if asked.method == "GET" or "SOAPAction" in asked.headers else fault(5000)


def _takes_text(asked: Asked) -> Asked:
    other = not asked.headers.get("Content-Type", "").startswith("text/xml")
    return replace(asked, headers={**asked.headers, "Content-Type": "text/xml; charset=utf-8"}) if other else asked


def _no_wsdl(asked: Asked) -> Asked | Said:
    return Said(404, b"", {}) if asked.path.endswith("?wsdl") else asked


def _relative(asked: Asked, said: Said) -> Said:
    if not asked.path.endswith("?wsdl"):
        return said
    return replace(said, body=re.sub(rb'schemaLocation="https?://[^/]+/', b'schemaLocation="../', said.body))


def _stays_open(asked: Asked, said: Said) -> Said:
    return replace(said, headers={name: value for name, value in said.headers.items() if name != "Connection"})


def _jitter(body: bytes) -> bytes:
    return body.replace(b"/Service/v3</r:InternalServiceAdress>", b"/%d</r:InternalServiceAdress>" % next(_counter))


def _by_header(name: str, value: str, status: int) -> Wrong:
    return Wrong(asks=lambda asked: Said(status, b"") if asked.headers.get(name, "").lower() == value else asked)


def _other_text(operation: str, old: int, new: int) -> Wrong:
    # A signature that somebody made, under another text.
    wrong = coded(operation, old, new)
    return Wrong(says=lambda asked, said: said if asked.has(_JUNK) else wrong.says(asked, said))


WRONG: dict[str, tuple[str, Wrong]] = {
    "rows in another order": ("isReachable.order", answered("isReachable", _reverse)),
    "rows of isRegistered in another order": ("isRegistered.order", answered("isRegistered", _reverse)),
    "an id that was asked twice answered once": ("isRegistered.duplicates", answered("isRegistered", _once)),
    "getSenders answered in another namespace": (
        "getSenders.answer",
        answered("getSenders", lambda body: body.replace(b"gov.se/Authority", b"gov.se/Authority/v2")),
    ),
    "isReachable answered in v2": (
        "isReachable.answer",
        answered("isReachable", lambda body: body.replace(RECIPIENT_V3.encode(), RECIPIENT_V2.encode())),
    ),
    "return in the namespace of Authority": (
        "isSenderAccepted.answer",
        answered("isSenderAccepted", lambda body: body.replace(b"return>", b"a:return>")),
    ),
    "an element more than the schema has": (
        "getDispatchers.answer",
        answered("getDispatchers", lambda body: body.replace(b"<return>", b"<return><d:Extra>x</d:Extra>")),
    ),
    "an unknown id as a fault": ("isReachable.unknown", Wrong(says=_unknown_is_a_fault)),
    "an operator for an unknown id": (
        "isReachable.unknown-supplier",
        answered(
            "isReachable",
            _rows(lambda row: row.replace(b"</r:Pending>", b"</r:Pending>" + _OPERATOR), b"Type>Not<"),
        ),
    ),
    "an unknown id as Anonymous": (
        "isRegistered.unknown-type",
        answered("isRegistered", lambda body: body.replace(b"Type>Not<", b"Type>Anonymous<")),
    ),
    "an unknown id that accepts": (
        "isReachable.unknown-not-accepted",
        answered(
            "isReachable",
            _rows(lambda row: row.replace(b"Accepted>false<", b"Accepted>true<"), b"Type>Not<"),
        ),
    ),
    "a deselected sender that is accepted": (
        "isReachable.deselected",
        answered(
            "isReachable",
            _rows(lambda row: row.replace(b"Accepted>false<", b"Accepted>true<"), RECIPIENT_WITHOUT_B.encode()),
        ),
    ),
    "a pending account that is not pending": (
        "isReachable.pending",
        answered("isReachable", lambda body: body.replace(b"Pending>true<", b"Pending>false<")),
    ),
    "1001 ids taken": ("isRegistered.too-many", Wrong(asks=_accepts_a_surplus_id)),
    "a limit of 999": ("isRegistered.thousand", Wrong(asks=_limited(999), says=lambda a, s: s)),
    "1001 ids with code 5001": ("isReachable.too-many", coded("isReachable", 5005, 5001)),
    "another answer each time": ("isRegistered.repeated", answered("isRegistered", _jitter)),
    "bad ids taken": (
        "isReachable.bad-id",
        read(lambda body: re.sub(rb">171212121212<", RECIPIENT.encode().join((b">", b"<")), body), "<isReachable "),
    ),
    "faults with HTTP 200": ("fault.status", faulty(lambda body: body, 200)),
    "faults with HTTP 400": ("fault.status", faulty(lambda body: body, 400)),
    "faults without detail": (
        "fault.detail",
        faulty(lambda body: re.sub(rb"<detail>.*</detail>", b"", body, flags=re.DOTALL)),
    ),
    "faults in the namespace of v2": (
        "fault.detail",
        faulty(lambda body: body.replace(COMMON_V3.encode(), COMMON_V3.replace("v3", "v2").encode())),
    ),
    "parts of the fault in no namespace": (
        "fault.schema",
        faulty(lambda body: re.sub(rb"(</?)c:(ErrorCode|Description|CallId)", rb"\1\2", body)),
    ),
    "a short CallId": ("fault.call-id", faulty(lambda body: _CALL_ID.sub(b"17", body))),
    "one CallId for all": ("fault.call-id-new", faulty(lambda body: _CALL_ID.sub(b"7" * 36, body))),
    "a code that is no number": (
        "fault.code",
        faulty(lambda body: re.sub(rb"ErrorCode>\d+<", b"ErrorCode>E17<", body)),
    ),
    "a faultcode without namespace": (
        "fault.faultcode",
        faulty(lambda body: body.replace(b"<faultcode>soap:", b"<faultcode>")),
    ),
    "a fault that repeats what was sent": ("fault.silent", Wrong(says=_echo)),
    "code 4000 for bad input": (
        "getPendingAccountPreferences.bad-input",
        coded("getPendingAccountPreferences", 5001, 4000),
    ),
    "answers in SOAP 1.2": (
        "soap.envelope",
        every(lambda body: body.replace(SOAP_ENVELOPE.encode(), b"http://www.w3.org/2003/05/soap-envelope")),
    ),
    "answers as application/soap+xml": ("soap.content-type", every(lambda body: body, "application/soap+xml")),
    "no call without SOAPAction": ("soap.action-absent", Wrong(asks=_needs_action)),
    "a value up to the first comment": (
        "soap.comment",
        read(lambda body: re.sub(rb"<!-- note -->[^<]*", b"", body), "<!-- note -->"),
    ),
    "no CDATA": ("soap.cdata", read(lambda body: re.sub(rb"<!\[CDATA\[.*?\]\]>", b"", body), "CDATA")),
    "a DOCTYPE that is taken": ("soap.doctype", read(lambda body: body.replace(b"<!DOCTYPE E>", b""), "<!DOCTYPE E>")),
    "an entity that is expanded": (
        "soap.entity",
        read(
            lambda body: re.sub(rb"<!DOCTYPE.*?\]>", b"", body).replace(b"&e;", RECIPIENT.encode()),
            "<!ENTITY",
        ),
    ),
    "a header that is not understood": (
        "soap.must-understand",
        read(lambda body: re.sub(rb"<soap:Header>.*</soap:Header>", b"", body), "mustUnderstand"),
    ),
    "the first of two elements": (
        "soap.two-elements",
        Wrong(
            asks=lambda asked: (
                replace(asked, body=_first_element(asked.body))
                if asked.body.count(b"</isRegistered>") == 2 and asked.body.count(b"<E:Body>") == 1
                else asked
            )
        ),
    ),
    "SOAP 1.2 that is taken": (
        "soap.version",
        read(lambda body: body.replace(b"http://www.w3.org/2003/05/soap-envelope", SOAP_ENVELOPE.encode()), "2003/05"),
    ),
    "any content type": ("soap.not-xml", Wrong(asks=_takes_text)),
    "a connection that stays": ("soap.connection-close", Wrong(says=_stays_open)),
    "isRegistered in v2": (
        "soap.wrong-namespace",
        read(
            lambda body: body.replace(RECIPIENT_V2.encode(), RECIPIENT_V3.encode()),
            f'<isRegistered xmlns="{RECIPIENT_V2}"',
        ),
    ),
    "no WSDL": ("wsdl.served", Wrong(asks=_no_wsdl)),
    "relative imports": ("wsdl.imports", Wrong(says=_relative)),
    "an operation that the WSDL lacks": (
        "wsdl.operations",
        Wrong(
            says=lambda asked, said: replace(
                said, body=said.body.replace(b'<wsdl:operation name="isReachable">', b'<wsdl:operation name="isThere">')
            )
        ),
    ),
    "everybody is a sender": (
        "isSenderAccepted.other",
        answered("isSenderAccepted", lambda body: body.replace(b">false<", b">true<")),
    ),
    "a sender that is not listed": (
        "getSenders.connected",
        answered("getSenders", _rows(lambda row: b"", KOMMUN_A.number.encode())),
    ),
    "arg0 in a namespace": (
        "isSenderAccepted.qualified",
        read(lambda body: body.replace(b"o:arg0>", b"arg0>"), "o:arg0"),
    ),
    "a made-up signature that is taken": (
        "register.made-up-signature",
        instead(_signed("register"), "<register ", _JUNK),
    ),
    "a second registration with another code": ("register.again", coded("register", 5009, 5007)),
    "an active account with code 5003": (
        "deletePendingAccountRequest.active",
        coded("deletePendingAccountRequest", 5011, 5003),
    ),
    "a stranger who may sign": (
        "isAuthorizedSigner.stranger",
        answered("isAuthorizedSigner", lambda body: body.replace(b"Signer>false<", b"Signer>true<")),
    ),
    "a person who cannot complete": (
        "testNewSigner.complete",
        answered("testNewSigner", lambda body: body.replace(b"Status>Complete<", b"Status>Incomplete<")),
    ),
    "an operation chosen by SOAPAction": (
        "soap.action-named",
        Wrong(asks=lambda asked: fault(5001) if asked.headers.get("SOAPAction") == '"isRegistered"' else asked),
    ),
    "no call without a charset": (
        "soap.no-charset",
        Wrong(asks=lambda asked: fault(5001) if asked.headers.get("Content-Type") == "text/xml" else asked),
    ),
    "UTF-8 alone": ("soap.latin-1", instead(lambda: fault(5001), 'encoding="ISO-8859-1"')),
    "a value up to the first instruction": (
        "soap.processing-instruction",
        read(lambda body: re.sub(rb"<\?note x\?>[^<]*", b"", body), "<?note x?>"),
    ),
    "no header at all": ("soap.header", instead(lambda: fault(5001), 'urn:example:note">x</n:note>')),
    "chunks that break it": ("soap.chunked", _by_header("Transfer-Encoding", "chunked", 500)),
    "compression that breaks it": ("soap.gzip", _by_header("Content-Encoding", "gzip", 400)),
    "malformed XML with HTTP 200": (
        "soap.malformed",
        Wrong(asks=lambda asked: fault(4000) if asked.body.endswith(b"</soap:Body>") else asked),
    ),
    "an empty request that fails": (
        "soap.empty",
        Wrong(asks=lambda asked: fault(4000) if asked.method == "POST" and not asked.body else asked),
    ),
    "no envelope needed": (
        "soap.no-envelope",
        Wrong(
            asks=lambda asked: (
                replace(asked, body=wrap(asked.body)) if asked.body.startswith(b"<isRegistered ") else asked
            )
        ),
    ),
    "the first of two bodies": (
        "soap.two-bodies",
        read(lambda body: body.replace(b"<E:Body></E:Body>", b""), "<E:Body></E:Body></E:Envelope>", "isRegistered"),
    ),
    "an empty Body that fails": (
        "soap.empty-body",
        Wrong(
            asks=lambda asked: (
                fault(4000) if b"<E:Body></E:Body>" in asked.body and b"isRegistered" not in asked.body else asked
            )
        ),
    ),
    "an unknown operation that fails": ("soap.unknown-operation", instead(lambda: fault(4999), "<isKnown ")),
    "an operator by another name": (
        "isReachable.known",
        answered("isReachable", lambda body: body.replace("Brevlåda Två".encode(), "Brevlåda".encode())),
    ),
    "a sender who is not accepted": (
        "isReachable.accepted",
        answered(
            "isReachable",
            _rows(lambda row: row.replace(b"Accepted>true<", b"Accepted>false<"), RECIPIENT_AT_TWO.encode()),
        ),
    ),
    "a fault where no id is asked": (
        "isReachable.none",
        Wrong(asks=lambda asked: fault(5001) if b"</senderOrgNr></isReachable>" in asked.body else asked),
    ),
    "two addresses for one operator": (
        "isReachable.same-status",
        answered("isReachable", lambda body: body.replace(b"/Service/v3</r:ServiceAdress>", b"</r:ServiceAdress>")),
    ),
    "bad ids left out": (
        "isRegistered.bad-among-good",
        read(lambda body: body.replace(b"<recipientId>12345</recipientId>", b""), "<isRegistered ", ">12345<"),
    ),
    "namespaces of children left aside": (
        "isRegistered.child-namespace",
        read(lambda body: body.replace(b' xmlns="urn:example:other"', b""), "<isRegistered ", "urn:example:other"),
    ),
    "preferences of nobody": (
        "getAccountPreferences.unknown",
        coded("getAccountPreferences", 5003, 5000),
    ),
    "preferences without the sender": (
        "getAccountPreferences.default",
        answered("getAccountPreferences", lambda body: body.replace(KOMMUN_A.number.encode(), b"165599999900")),
    ),
    "a signatory who may not sign": (
        "isAuthorizedSigner.signatory",
        answered("isAuthorizedSigner", lambda body: body.replace(b"Signer>true<", b"Signer>false<")),
    ),
    "an account that stays": (
        "deregister.person",
        answered("deregister", lambda body: body.replace(b"Status>Complete<", b"Status>Incomplete<")),
    ),
    "a rule that is never complete": (
        "verifyAuthorizedSignatures.real",
        answered("verifyAuthorizedSignatures", lambda body: body.replace(b">Complete<", b">Incomplete<")),
    ),
    "a signature under another text with another code": ("register.other-text", _other_text("register", 5010, 5000)),
}
"""By what is wrong: the case without its role, and the mistake."""
