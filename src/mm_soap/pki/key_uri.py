"""The names of keys in tokens: PKCS #11 URIs. Source: RFC 7512."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, unquote_to_bytes

SCHEME: Final = "pkcs11:"

_TOKEN: Final = ("token", "serial", "manufacturer", "model")
_KEY: Final = ("object", "id", "type")
_QUERY: Final = ("module-path", "pin-source")
_FILE: Final = re.compile(r"(file:(//)?)?(?P<path>/.+)", re.DOTALL)


class WrongKeyUri(ValueError):
    """A URI names no key that can be used. The text is half a sentence, and repeats no value."""


@dataclass(frozen=True)
class KeyUri:
    """Which key of which token.

    Args:
        module: the library that speaks with the token.
        pin_file: the file whose first line is the user PIN; None for a token that wants none, or has its own keypad.
        token: what the token must say of itself, by attribute: ``token``, ``serial``, ``manufacturer``, ``model``.
        label: the key's CKA_LABEL, or None.
        id: the key's CKA_ID, or None.
    """

    module: Path
    pin_file: Path | None
    token: tuple[tuple[str, str], ...]
    label: str | None
    id: bytes | None

    @classmethod
    def parse(cls, uri: str) -> KeyUri:
        """Return what a URI names.

        Raises:
            WrongKeyUri: it is no such URI, names no module or no key, or holds the PIN itself.
        """
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        if not uri.startswith(SCHEME) or "#" in uri:
            raise WrongKeyUri("must be a PKCS #11 URI, such as pkcs11:token=...;object=...?module-path=...")
        if "pin-value" in _attributes(query, "&", (*_QUERY, "pin-value")):
            raise WrongKeyUri("must not hold the PIN: name its file with pin-source")
        named, asked = _attributes(path, ";", (*_TOKEN, *_KEY)), _attributes(query, "&", _QUERY)
        if unquote(named.get("type", "private")) != "private":
            raise WrongKeyUri("must name a private key: type=private")
        if "object" not in named and "id" not in named:
            raise WrongKeyUri("must name the key: object, id or both")
        module = unquote(asked.get("module-path", ""))
        if not module.startswith("/"):
            raise WrongKeyUri("must name the token's library: module-path with an absolute path")
        pin = _FILE.fullmatch(unquote(asked["pin-source"])) if "pin-source" in asked else None
        if "pin-source" in asked and pin is None:
            raise WrongKeyUri("must name the PIN's file in pin-source with an absolute path")
        return cls(
            Path(module),
            Path(pin["path"]) if pin else None,
            tuple((name, unquote(named[name])) for name in _TOKEN if name in named),
            unquote(named["object"]) if "object" in named else None,
            unquote_to_bytes(named["id"]) if "id" in named else None,
        )


def _attributes(text: str, separator: str, known: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(separator)):
        name, equals, value = part.partition("=")
        # A name that is not understood might leave the wrong key: RFC 7512, 2.3, lets vendors add attributes.
        if not equals or name not in known or name in found:
            raise WrongKeyUri(f"must have attributes of {', '.join(known[:-1])} and {known[-1]} alone, each once")
        found[name] = value
    return found
