"""Writes the beginning of the corpus: ``python -m tests.fuzz.make_corpus``. What a run finds is added by hand."""

from __future__ import annotations

from hashlib import sha1

from mm_soap.testing.e_identification import EIdentificationIssuer
from tests.attacks.sites import SITES, Target, envelope
from tests.fuzz.targets import CLOCK, CORPUS, cast

XML = (
    b"<a/>",
    b"<?xml version='1.0' encoding='utf-8'?><a xmlns='urn:a' xmlns:b='urn:b' b:c=\"d\">e<!-- f --><?g h?></a>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe5</a>",
    "<a>å</a>".encode("utf-16"),
    b"\xef\xbb\xbf<a>&#229;&amp;</a>",
    b"<?xml version='1.0'" + b" " * 220 + b"encoding='utf-7'?><a>+ADw-b/+AD4-</a>",
    b"<a" + b"".join(b" xmlns:p%d='u'" % n for n in range(201)) + b"/>",
)


def main() -> None:
    """Write the files."""
    for raw in XML:
        write("xml", raw)
    for port, site in ((0, SITES[0]), (1, SITES[1]), (1, SITES[3])):
        target = Target(site, cast())
        write("shell", bytes([port]) + target.request())
        write("shell", bytes([port]) + envelope(target.payload(target.unsigned)))
    write("shell", bytes([6]) + Target(SITES[0], cast()).request().decode().encode("utf-16"))
    write("shell", b"\x02" + envelope(b"<notify/>"))
    person = EIdentificationIssuer(CLOCK).person("189001619809", "Anna Andersson")
    write("user_signature", person.sign_xml("Jag vill.", nonce="1").signature)


def write(folder: str, raw: bytes) -> None:
    """Write a file under a name that follows from what is in it."""
    (CORPUS / folder).mkdir(parents=True, exist_ok=True)
    (CORPUS / folder / sha1(raw, usedforsecurity=False).hexdigest()[:16]).write_bytes(raw)


if __name__ == "__main__":
    main()
