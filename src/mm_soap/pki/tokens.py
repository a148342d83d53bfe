"""RSA keys that stay in a token, such as a hardware security module; the only importer of pkcs11.

A library of PKCS #11 does not survive a fork: a child that goes on with what its parent opened fails, or worse. So
before each fork everything is closed, and each process opens its own when it signs.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pkcs11
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, KeySerializationEncryption, PrivateFormat
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from mm_soap.errors import ConfigurationError
from mm_soap.pki.key_uri import KeyUri

_MECHANISMS: Final[Mapping[type[HashAlgorithm], Mechanism]] = {
    SHA256: Mechanism.SHA256_RSA_PKCS,
    SHA384: Mechanism.SHA384_RSA_PKCS,
    SHA512: Mechanism.SHA512_RSA_PKCS,
}
_PAUSES: Final = (0.05, 0.2, 0.5)
"""Between attempts, in seconds."""


@dataclass
class _Tokens:
    """What this process has open. One call at a time: the library is told that there is one thread."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    sessions: dict[tuple[Path, bytes], Any] = field(default_factory=dict)
    keys: dict[KeyUri, Any] = field(default_factory=dict)
    modules: set[Path] = field(default_factory=set)
    refused: set[tuple[Path, bytes]] = field(default_factory=set)

    def key(self, uri: KeyUri) -> Any:
        found = self.keys.get(uri)
        if found is None:
            found = self.keys[uri] = self._session(uri).get_key(
                object_class=ObjectClass.PRIVATE_KEY, key_type=KeyType.RSA, label=uri.label, id=uri.id
            )
        return found

    def _session(self, uri: KeyUri) -> Any:
        self.modules.add(uri.module)
        token = _token(uri)
        place = uri.module, bytes(token.serial)
        if place not in self.sessions:
            if place in self.refused:
                # A token locks itself after a few wrong PINs.
                raise _Missing("it refused its PIN, which is not tried again before the next start")
            try:
                self.sessions[place] = token.open(user_pin=_pin(uri))
            except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked):
                self.refused.add(place)
                raise
        return self.sessions[place]

    def close(self) -> None:
        """Close all, so that the next call begins anew."""
        self.keys.clear()
        self.sessions.clear()
        while self.modules:
            module = self.modules.pop()
            try:
                pkcs11.lib(str(module)).finalize()
            except pkcs11.PKCS11Error:  # it is gone already
                continue


_tokens = _Tokens()


def _before_fork() -> None:
    _tokens.lock.acquire()
    _tokens.close()


os.register_at_fork(before=_before_fork, after_in_parent=_tokens.lock.release, after_in_child=_tokens.lock.release)


class TokenKey(RSAPrivateKey):
    """A private key that signs in its token and never leaves it. Safe for threads and forks.

    Args:
        uri: where it is.
        name: what the settings call it, for messages.

    Raises:
        ConfigurationError: the token, its PIN or the key cannot be used.
    """

    def __init__(self, uri: KeyUri, public: RSAPublicKey, name: str) -> None:
        self._uri = uri
        self._public = public
        self._name = name
        modulus = int.from_bytes(self._use(lambda key: bytes(key[Attribute.MODULUS])), "big")
        if modulus != public.public_numbers().n:
            raise ConfigurationError(f"The key in the token of {name} does not belong to the certificate.")

    @property
    def key_size(self) -> int:
        """Its length in bits."""
        return self._public.key_size

    def public_key(self) -> RSAPublicKey:
        """Return the public key."""
        return self._public

    def sign(self, data: bytes, padding: AsymmetricPadding, algorithm: Any) -> bytes:
        """Return a signature with PKCS #1 v1.5 and SHA-256, SHA-384 or SHA-512.

        Raises:
            ConfigurationError: the token does not sign now.
        """
        mechanism = _MECHANISMS.get(type(algorithm))
        if mechanism is None or not isinstance(padding, PKCS1v15):
            raise NotImplementedError("keys in tokens sign with PKCS #1 v1.5 and SHA-2 alone")
        return self._use(lambda key: bytes(key.sign(data, mechanism=mechanism)))

    def decrypt(self, ciphertext: bytes, padding: AsymmetricPadding) -> bytes:
        """Raise: it only signs."""
        raise NotImplementedError("keys in tokens only sign")

    def private_numbers(self) -> RSAPrivateNumbers:
        """Raise: it stays in its token."""
        raise NotImplementedError("keys stay in their tokens")

    def private_bytes(
        self, encoding: Encoding, format: PrivateFormat, encryption_algorithm: KeySerializationEncryption
    ) -> bytes:
        """Raise: it stays in its token."""
        raise NotImplementedError("keys stay in their tokens")

    def __copy__(self) -> TokenKey:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TokenKey:
        return self

    def _use(self, do: Callable[[Any], bytes]) -> bytes:
        with _tokens.lock:
            for pause in (*_PAUSES, None):
                try:
                    return do(_tokens.key(self._uri))
                except (pkcs11.PKCS11Error, _Missing) as error:
                    if pause is None or not isinstance(error, _GONE):
                        reason = str(error) if isinstance(error, _Missing) else type(error).__name__
                        raise ConfigurationError(f"The token of {self._name} cannot be used: {reason}.") from None
                _tokens.close()
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")


class _Missing(LookupError):
    """What is missing, as half a sentence."""


class _NoToken(_Missing):
    """The token is not there, perhaps for a moment: SoftHSM hides one while another process opens it."""


_GONE: Final = (
    _NoToken,
    pkcs11.SessionHandleInvalid,
    pkcs11.SessionClosed,
    pkcs11.ObjectHandleInvalid,
    pkcs11.KeyHandleInvalid,
    pkcs11.UserNotLoggedIn,
    pkcs11.DeviceRemoved,
    pkcs11.DeviceError,
    pkcs11.TokenNotPresent,
    pkcs11.FunctionFailed,
    pkcs11.GeneralError,
)
"""What a session that was opened may end with, and a new one may mend."""


def _token(uri: KeyUri) -> Any:
    wanted = dict(uri.token)
    found = []
    for slot in pkcs11.lib(str(uri.module)).get_slots(token_present=True):
        try:
            token = slot.get_token()
        except pkcs11.PKCS11Error:  # one that was never set up
            continue
        told = {
            "token": token.label,
            "serial": bytes(token.serial).decode("utf-8", "replace").strip(),
            "manufacturer": token.manufacturer_id,
            "model": token.model,
        }
        if all(told[name] == value for name, value in wanted.items()) and told["token"]:
            found.append(token)
    if not found:
        raise _NoToken("no token is as its URI says")
    if len(found) > 1:
        raise _Missing("several tokens are as its URI says")
    return found[0]


def _pin(uri: KeyUri) -> str | None:
    if uri.pin_file is None:
        return None
    try:
        return uri.pin_file.read_text(encoding="utf-8").splitlines()[0]
    except (OSError, UnicodeDecodeError, IndexError):
        raise _Missing("its PIN's file cannot be read, or is empty") from None
