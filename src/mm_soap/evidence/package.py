"""Evidence as a ZIP file that somebody else can check with xmlsec1 and sha256sum, and instructions how."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Any, BinaryIO, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine, bindparam, select

from mm_soap.dsig import Trust, VerifiedDelivery, seal_policy, sender_policy, verify_delivery, verify_sealed
from mm_soap.errors import Refused
from mm_soap.evidence.finding import Piece
from mm_soap.pki import read_certificates, subject_name
from mm_soap.pki.any_issuer import AnyIssuer
from mm_soap.signed_files import SEALED, signed_element
from mm_soap.storage import reading
from mm_soap.storage.chain import canonical
from mm_soap.storage.evidence import record
from mm_soap.version import __version__

_AFTER: Final = 10
"""Records of the chain that follow the exported one, unless all up to the head are wanted."""

_SIGNATURE: Final = "/*/*[local-name()='Signature']"
_SAFE: Final = re.compile(r"[^A-Za-z0-9-]+")
_LONGEST: Final = 1 << 62
_segment = (
    select(record)
    .where(record.c.position >= bindparam("first"), record.c.position <= bindparam("last"))
    .order_by(record.c.position)
)


@dataclass(frozen=True)
class _Document:
    """What was signed, in the form in which it was, and who signed it."""

    kind: str
    content: bytes
    signer: x509.Certificate


class Package:
    """Writes pieces of evidence into a ZIP file, each with what is needed to check it.

    Args:
        databases: of the parties, by name.
        anchors: PEM files of the certificates that the installation trusts.
        now: the time.
        to_head: whether all records from the exported one to the head of the chain go into it.
    """

    def __init__(
        self, databases: Mapping[str, Engine], anchors: Iterable[Path], now: datetime, to_head: bool = False
    ) -> None:
        self._databases = databases
        self._anchors = [one for file in anchors for one in read_certificates(file)]
        self._now = now
        self._to_head = to_head

    def write(self, file: BinaryIO, pieces: Sequence[Piece]) -> None:
        """Write the ZIP file."""
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            folders = []
            for number, piece in enumerate(pieces, 1):
                folder = "-".join((str(number), _safe(piece.party), _safe(str(piece.record["operation"] or "unknown"))))
                folders.append(folder)
                self._piece(archive, folder, piece)
            self._add(archive, "README.txt", _overview(folders, self._now))

    def _piece(self, archive: ZipFile, folder: str, piece: Piece) -> None:
        steps = [_STEP_BYTES.format(digest=piece.record["digest"])] if piece.content is not None else [_NO_BYTES]
        if piece.content is not None:
            self._add(archive, f"{folder}/request.xml", piece.content)
        self._add(archive, f"{folder}/record.json", _json(_told(piece)))
        documents = _documents(piece)
        if documents:
            steps.append(self._signatures(archive, folder, piece, documents))
        elif piece.content is not None:
            steps.append(_NO_SIGNATURE.format(verdict=piece.record["verdict"]))
        steps.append(self._chain(archive, folder, piece))
        numbered = "\n".join(f"{number}. {step.strip()}\n" for number, step in enumerate(steps, 1))
        head = _HEAD.format(verdict=piece.record["verdict"], party=piece.party, at=piece.record["at"].isoformat())
        self._add(archive, f"{folder}/INSTRUCTIONS.txt", (head + numbered).encode())

    def _signatures(self, archive: ZipFile, folder: str, piece: Piece, documents: Sequence[_Document]) -> str:
        trusted = [one for one in self._anchors if one.issuer == one.subject] or self._anchors
        named = {"trusted": trusted, "untrusted": [one for one in self._anchors if one not in trusted]}
        options = []
        for kind, certificates in named.items():
            for number, certificate in enumerate(certificates, 1):
                path = f"certificates/{kind}-{number}.pem"
                options.append(f"--{kind}-pem {path}")
                self._add(archive, f"{folder}/{path}", certificate.public_bytes(Encoding.PEM))
        moment = piece.record["at"].astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        commands = []
        for document in documents:
            self._add(archive, f"{folder}/{document.kind}.xml", document.content)
            signer = f"certificates/{document.kind}-signer.pem"
            self._add(archive, f"{folder}/{signer}", document.signer.public_bytes(Encoding.PEM))
            where = f"--verification-gmt-time {quote(moment)} --node-xpath {quote(_SIGNATURE)} {document.kind}.xml"
            commands.append(f"   {document.kind}.xml, signed by {subject_name(document.signer)} ({signer}):")
            commands.append(f"   $ xmlsec1 --verify {' '.join(options)} {where} 2>&1")
            commands.append("   OK")
        return _STEP_SIGNATURES + "\n".join(commands) + "\n"

    def _chain(self, archive: ZipFile, folder: str, piece: Piece) -> str:
        position = piece.record["position"]
        if position is None:
            return _NOT_LINKED
        first, hashes, own = max(position - 1, 1), [], 0
        path = f"{folder}/chain.jsonl"
        with archive.open(self._info(path), "w", force_zip64=True) as file:
            for number, row in enumerate(self._rows(piece.party, first, position), 1):
                line = canonical(row)
                file.write(line)
                own = number if row["position"] == position else own
                hashes.append((row["position"], sha256(line).hexdigest()))
        return _STEP_CHAIN.format(
            position=position,
            line=own,
            hash=dict(hashes)[position],
            digest=piece.record["digest"],
            hashes="\n".join(f"   {one}  -" for _, one in hashes),
            last=hashes[-1][0],
            last_hash=hashes[-1][1],
        )

    def _rows(self, party: str, first: int, position: int) -> Iterator[Mapping[str, Any]]:
        wanted = {"first": first, "last": _LONGEST if self._to_head else position + _AFTER}
        with reading(self._databases[party]) as connection:
            found = connection.execute(_segment, wanted, execution_options={"yield_per": 500})
            yield from map(dict, found.mappings())

    def _info(self, path: str) -> ZipInfo:
        info = ZipInfo(path, self._now.timetuple()[:6])
        info.compress_type, info.external_attr = ZIP_DEFLATED, 0o600 << 16
        return info

    def _add(self, archive: ZipFile, path: str, content: bytes) -> None:
        archive.writestr(self._info(path), content)


def _documents(piece: Piece) -> list[_Document]:
    """Return what was signed in a request: the sealed delivery and the sender's in it. Nothing if it does not hold."""
    trust = Trust(AnyIssuer(), sender_policy().with_sha1(), seal_policy(), lambda: piece.record["at"])
    try:
        found = signed_element(piece.content or b"")
        if found is None:
            return []
        raw, element = found
        if element.tag not in SEALED:
            return [_document("signed", verify_delivery(raw, element, trust))]
        sealed = verify_sealed(raw, element, trust)
    except Refused:
        return []
    outer = _Document("sealed", sealed.document, sealed.signer.certificate)
    return [outer, _document("signed", sealed.delivery)]


def _document(kind: str, verified: VerifiedDelivery) -> _Document:
    return _Document(kind, verified.document, verified.signer.certificate)


def _told(piece: Piece) -> dict[str, Any]:
    events = [{name: value for name, value in asdict(event).items() if value} for event in piece.events]
    return {"party": piece.party, "record": dict(piece.record), "events": events}


def _json(document: Any) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=1, default=_text) + "\n").encode()


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _safe(name: str) -> str:
    return _SAFE.sub("-", name).strip("-")[:60] or "unknown"


def _overview(folders: Sequence[str], now: datetime) -> bytes:
    listed = "".join(f"\n   {folder}/INSTRUCTIONS.txt" for folder in folders)
    return _README.format(version=__version__, at=now.isoformat(timespec="seconds"), listed=listed).encode()


_README: Final = textwrap.dedent("""\
    Evidence exported by mm-soap {version} at {at}.

    It holds personal data: keep it from others, and delete it when it is no longer needed.
    Each folder is one request as a party got it. How to check it without mm-soap is told in
    {listed}

    Needed: a POSIX shell, sha256sum, and xmlsec1 (https://www.aleksey.com/xmlsec/).
    """)
_HEAD: Final = textwrap.dedent("""\
    How to check this evidence without mm-soap.

    Run each command that stands after a $ in this folder. What it must print stands below it.

    request.xml      the request, byte for byte as {party} got it at {at}
    record.json      what the party wrote down of it. The verdict: {verdict}
    signed.xml       what the sender signed (if the request holds a signature)
    sealed.xml       what the dispatcher sealed, with signed.xml in it (if the request holds a seal)
    certificates/    of the signers, and those that the party trusts
    chain.jsonl      the records around this one in the party's chain, one on each line

    """)
_STEP_BYTES: Final = """\
The bytes are those of the record: digest in record.json.

   $ sha256sum request.xml
   {digest}  request.xml
"""
_NO_BYTES: Final = """\
The bytes are gone, since their time was over. Whoever has a copy of the request can compare it:
   its SHA-256 is the digest in record.json.
"""
_STEP_SIGNATURES: Final = """\
The signatures hold, at the time when the request came. A request carries a signed document under
   another name, and sometimes with other prefixes, than that under which it was signed. So each signed
   document stands in a file of its own, as it was signed. That it is the one from the request can be
   seen by its ds:SignatureValue, which stands in request.xml too. Before you rely on certificates/trusted-*.pem,
   compare them with those that their authority publishes.

"""
_NO_SIGNATURE: Final = """\
No signature in the request holds, or there is none. The verdict was {verdict}.
"""
_STEP_CHAIN: Final = """\
The record is in the chain. Each line of chain.jsonl is a record, and its hash is the SHA-256 of
   that line with its line feed. "digest" is that of the request, "previous" the hash of the record before.

   This record is number {position}, and stands on line {line}:

   $ sed -n {line}p chain.jsonl | grep -o '"digest": "[0-9a-f]*"'
   "digest": "{digest}"

   $ sed -n {line}p chain.jsonl | sha256sum
   {hash}  -

   The hashes of all lines. Each but the last must stand as "previous" in the line after it:

   $ while read -r line; do printf '%s\\n' "$line" | sha256sum; done < chain.jsonl
{hashes}

   $ tail -n +2 chain.jsonl | grep -o '"previous": "[0-9a-f]*"' | cut -d '"' -f 4 > previous.txt
   $ while read -r line; do printf '%s\\n' "$line" | sha256sum; done < chain.jsonl | head -n -1 | cut -c-64 > hashes.txt
   $ cmp previous.txt hashes.txt && echo The chain holds.
   The chain holds.

   Record {last} has the hash {last_hash}. Compare it with what the party noted
   elsewhere: its log names the head of the chain every hour, and so does `mm-soap evidence head`.
"""
_NOT_LINKED: Final = """\
The record was not yet in the chain when this was exported. Export it again after some seconds.
"""
