"""What takes time or memory out of proportion to its size, where a limit does not stop it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from mm_soap.xml import DSIG
from tests.attacks.model import Make, Variant
from tests.attacks.signatures import Edit, resigned, swap
from tests.attacks.sites import WRITTEN, Target
from tests.attacks.structure import replaced
from tests.attacks.texts import on_document

_MANY: Final = 9000
"""Of what is counted before it is parsed, just as much as is let in."""

_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"


def _namespaces(number: int) -> bytes:
    return b"".join(b' xmlns:p%d="urn:p%d"' % (one, one) for one in range(number))


def _on_envelope(target: Target) -> bytes:
    return target.request().replace(b"<soap:Envelope", b"<soap:Envelope" + _namespaces(_MANY), 1)


def _nested_namespaces() -> bytes:
    return b"".join(b'<x xmlns:p%d="urn:p%d">' % (one, one) for one in range(240)) + b"</x>" * 240


def _on_document(old: bytes, new: bytes) -> Make:
    return on_document(lambda raw: raw.replace(old, new, 1))


def _prefix_list(number: int) -> Edit:
    listed = " ".join(f"p{one}" for one in range(number))
    old = f'<CanonicalizationMethod Algorithm="{_C14N}"></CanonicalizationMethod>'
    inside = f'<InclusiveNamespaces xmlns="{_C14N}" PrefixList="{listed}"></InclusiveNamespaces>'
    return swap(old, f'<CanonicalizationMethod Algorithm="{_C14N}">{inside}</CanonicalizationMethod>')


def _listed(number: int) -> Make:
    return lambda target: target.request(resigned(target, _prefix_list(number)))


def _long_certificate(target: Target) -> bytes:
    return replaced(b"<X509Certificate>", b"<X509Certificate>" + b"A" * 2_000_000)(target)


def floods() -> Iterator[Variant]:
    """Yield all of them."""
    long = b"x" * 1_000_000
    made: dict[str, Callable[[Target], bytes]] = {
        "9000 namespaces on the document": _on_document(b" xmlns=", _namespaces(_MANY) + b" xmlns="),
        "9000 namespaces on Envelope": _on_envelope,
        "9000 namespaces on SignedInfo": _on_document(b"<SignedInfo>", b"<SignedInfo%s>" % _namespaces(_MANY)),
        "240 namespaces, each deeper than the last": _on_document(WRITTEN, _nested_namespaces()),
        "a PrefixList with 200 000 prefixes": _listed(200_000),
        "a PrefixList with 101 prefixes": _listed(101),
        "a certificate of megabytes": _long_certificate,
        "9000 attributes": _on_document(b"<Subject>", b"<Subject%s>" % _attributes()),
        "4900 elements": _on_document(WRITTEN, b"<x/>" * 4900),
        "20 000 comments": _on_document(WRITTEN, WRITTEN + b"<!---->" * 20_000),
        "240 levels": _on_document(WRITTEN, b"<x>" * 240 + b"</x>" * 240),
        "4000 References": lambda target: target.request(resigned(target, _references)),
        "an Id of a megabyte": _on_document(b" xmlns=", b' Id="%s" xmlns=' % long),
        "a name of 49 000 letters": _on_document(WRITTEN, b"<%s/>" % long[:49_000]),
        "a URI of a megabyte": lambda target: target.request(
            resigned(target, swap('URI=""', f'URI="#{long.decode()}"'))
        ),
        "an algorithm of a megabyte": replaced(_C14N.encode(), _C14N.encode() + long),
        "a namespace of a megabyte": replaced(DSIG.encode(), b"urn:" + long),
    }
    for name, make in made.items():
        yield Variant("flood", name, make)


def _attributes() -> bytes:
    return b"".join(b' a%d=""' % one for one in range(_MANY))


def _references(info: str) -> str:
    return info + '<Reference URI="#x"></Reference>' * 4000
