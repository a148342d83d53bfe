"""The floor: what one secure delivery costs when C libraries do all of it.

The dispatcher parses the request, validates it, verifies the sender's signature, commits the bytes and signs the seal.
The operator parses, validates, verifies the seal and the sender's signature inside it, and commits. Both validate
against the packaged contract, in full. There is no HTTP, no queue, no rule for messages, no certificate path, no
evidence and no event: an implementation that does those cannot come down to this, only near it.

Parsing, canonical text and schema are libxml2 by lxml; signatures are libxmlsec1 and OpenSSL; the database is SQLite in
WAL mode with ``synchronous=FULL``. Algorithms, keys and documents are those of the chain that is measured.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from xmlsec import constants

from mm_soap.contract import validate
from mm_soap.pki import Identity
from mm_soap.xml import DSIG, MESSAGE_V1, MESSAGE_V3, SERVICE_V3, SOAP_ENVELOPE, qname

_SIGNATURE = qname(DSIG, "Signature")
_ENVELOPE = (f'<e:Envelope xmlns:e="{SOAP_ENVELOPE}"><e:Body>'.encode(), b"</e:Body></e:Envelope>")
_DISTRIBUTE = (f'<distributeSecure xmlns="{MESSAGE_V3}">'.encode(), b"</distributeSecure>")
_DELIVER = (f'<s:deliverSecure xmlns:s="{SERVICE_V3}">'.encode(), b"</s:deliverSecure>")
_EMPTY_SEAL = (
    f'<SealedDelivery xmlns="{MESSAGE_V3}"><Seal><ReceivedTime xmlns="{MESSAGE_V1}">2026-11-21</ReceivedTime>'
    f'<SignaturesOK xmlns="{MESSAGE_V1}">true</SignaturesOK></Seal></SealedDelivery>'
).encode()


class Floor:
    """Does the least work for deliveries, and measures it.

    Args:
        sender: signed the documents.
        dispatcher: seals them.
        folder: gets the database.
    """

    def __init__(self, sender: Identity, dispatcher: Identity, folder: Path) -> None:
        self._sender, self._dispatcher = _key(sender), _key(dispatcher)
        self._database = sqlite3.connect(folder / "floor.sqlite3")
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("CREATE TABLE kept (bytes BLOB NOT NULL)")

    def measure(self, documents: Sequence[bytes], seconds: float) -> float:
        """Return the processor time of one delivery in ms, user and system.

        Args:
            documents: signed deliveries of one size, taken in turn.
            seconds: how much processor time to spend at least; three deliveries are made in any case.
        """
        self.deliver(documents[0])
        done = 0
        begun = time.thread_time()
        for document in islice(cycle(documents), 100_000):
            self.deliver(document)
            done += 1
            spent = time.thread_time() - begun
            if done >= 3 and spent >= seconds:
                break
        return spent / done * 1e3

    def deliver(self, document: bytes) -> None:
        """Do the work of both parties for one signed delivery.

        Raises:
            Refused: a request breaks the schema.
            xmlsec.Error: a signature does not hold.
        """
        self._operator(self._dispatch(document))

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _dispatch(self, document: bytes) -> bytes:
        # The element travels under the name of the operation's parameter, and is signed under its own.
        _parse_valid(_request(_DISTRIBUTE, document, b"SignedDelivery", b"signedDelivery"))
        delivery = _verified(document, self._sender)
        self._keep(document)
        sealed = etree.fromstring(_EMPTY_SEAL)
        sealed.insert(0, delivery)
        return _sign(sealed, self._dispatcher)

    def _operator(self, sealed: bytes) -> None:
        _parse_valid(_request(_DELIVER, sealed, b"SealedDelivery", b"s:deliverSecure"))
        outer = _verified(sealed, self._dispatcher)
        _verified(etree.tostring(outer[0]), self._sender)
        self._keep(sealed)

    def _keep(self, content: bytes) -> None:
        self._database.execute("INSERT INTO kept VALUES (?)", (content,))
        self._database.commit()


def _key(identity: Identity) -> xmlsec.Key:
    private = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key = xmlsec.Key.from_memory(private, constants.KeyDataFormatPem)
    key.load_cert_from_memory(identity.certificate.public_bytes(Encoding.PEM), constants.KeyDataFormatCertPem)
    return key


def _request(operation: tuple[bytes, bytes], document: bytes, name: bytes, travels_as: bytes) -> bytes:
    head, _, tail = document.replace(name, travels_as, 1).rpartition(name)
    return b"".join((_ENVELOPE[0], operation[0], head, travels_as, tail, operation[1], _ENVELOPE[1]))


def _parse_valid(request: bytes) -> None:
    validate(etree.fromstring(request)[0][0])


def _verified(document: bytes, key: xmlsec.Key) -> etree._Element:
    root = etree.fromstring(document)
    context = xmlsec.SignatureContext()
    context.key = key
    context.verify(root.findall(_SIGNATURE)[-1])
    return root


def _sign(root: etree._Element, key: xmlsec.Key) -> bytes:
    signature = xmlsec.template.create(root, constants.TransformExclC14N, constants.TransformRsaSha256)
    root.append(signature)
    reference = xmlsec.template.add_reference(signature, constants.TransformSha256, uri="")
    xmlsec.template.add_transform(reference, constants.TransformEnveloped)
    xmlsec.template.add_transform(reference, constants.TransformExclC14N)
    data = xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
    xmlsec.template.x509_data_add_certificate(data)
    context = xmlsec.SignatureContext()
    context.key = key
    context.sign(signature)
    return etree.tostring(root)
