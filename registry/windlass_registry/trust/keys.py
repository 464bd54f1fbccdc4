"""Key files: a private one that stays where it was made, and a public one to hand on.

Private keys are Ed25519 in PKCS #8 (RFC 5958), PEM, readable by their owner alone, encrypted where a
passphrase was given. The public half is a small JSON file. What people compare is the fingerprint.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner as CryptoSigner
from securesystemslib.signer import Key as Key
from securesystemslib.signer import SSlibKey

from windlass_registry.errors import OperatorError

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,79}\Z")
_LONGEST: Final = 16_384
_PUBLIC_KEYS: Final = {"windlass-key", "name", "keytype", "scheme", "public"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """The half to hand on."""

    name: str
    """What its owner calls it; nothing depends on it."""
    key: Key

    @property
    def fingerprint(self) -> str:
        """What two people read to each other, to know that they mean the same key."""
        return fingerprint(self.key.keyid)

    def to_text(self) -> str:
        """The content of a `.pub` file."""
        value = {
            "windlass-key": 1,
            "name": self.name,
            "keytype": self.key.keytype,
            "scheme": self.key.scheme,
            "public": self.key.keyval["public"],
        }
        return json.dumps(value, indent=1) + "\n"


def fingerprint(keyid: str) -> str:
    """128 bits of a key's identity, in groups of four."""
    return " ".join(keyid[at : at + 4] for at in range(0, 32, 4))


def parse_public_key(text: str, *, shown: str) -> PublicKey:
    """Read a `.pub` file's content.

    Raises:
        OperatorError: it is none.
    """
    remedy = "take the .pub file that 'windlass keys new' wrote"
    try:
        value = json.loads(text)
        if not isinstance(value, dict) or set(value) != _PUBLIC_KEYS or value["windlass-key"] != 1:
            raise ValueError("not a public key")
        name, public = value["name"], value["public"]
        if value["keytype"] != "ed25519" or value["scheme"] != "ed25519":
            raise ValueError("not an Ed25519 key")
        if not isinstance(name, str) or not _NAME.match(name) or not re.match(r"[0-9a-f]{64}\Z", public):
            raise ValueError("not a public key")
        return PublicKey(name=name, key=key_of(public))
    except (ValueError, TypeError) as error:
        if "PRIVATE KEY" in text:
            raise OperatorError(
                f"{shown} is a private key, which nobody else may see", remedy=remedy
            ) from None
        raise OperatorError(f"{shown} is not the public half of a key ({error})", remedy=remedy) from error


def key_of(public: str) -> Key:
    """The key with these 32 bytes, written in hexadecimal digits."""
    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)))


class KeyRing:
    """The key files of one folder: `NAME.key` and `NAME.pub`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, name: str, *, passphrase: bytes | None = None) -> CryptoSigner:
        """Make a key pair; nothing is ever written over.

        Raises:
            OperatorError: the name is taken or impossible, or the folder cannot be written to.
        """
        if not _NAME.match(name):
            raise OperatorError(
                f"'{name}' cannot be the name of a key", remedy="take lower-case letters, digits, '-' and '.'"
            )
        private = Ed25519PrivateKey.generate()
        signer = CryptoSigner(private)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_new(self._private(name), _private_text(private, passphrase), mode=0o600)
            public = PublicKey(name=name, key=signer.public_key)
            _write_new(self.public_path(name), public.to_text().encode(), mode=0o644)
        except FileExistsError as error:
            raise OperatorError(
                f"there is a key '{name}' already: {error.filename}", remedy="choose another name"
            ) from error
        except OSError as error:
            raise OperatorError(f"cannot write the key '{name}' into {self.folder}: {error}") from error
        return signer

    def create_next(self, name: str, *, passphrase: bytes | None = None) -> CryptoSigner:
        """As `create`, under the first free of `NAME-2`, `NAME-3`, …: for what follows the key `name`."""
        number = 2
        while self.public_path(f"{name}-{number}").exists() or self.has_private(f"{name}-{number}"):
            number += 1
        return self.create(f"{name}-{number}", passphrase=passphrase)

    def public(self) -> tuple[PublicKey, ...]:
        """The public half of every key here, by name."""
        return tuple(load_public_key(path) for path in sorted(self.folder.glob("*.pub")))

    def has_private(self, name: str) -> bool:
        """Whether the private half is here too."""
        return self._private(name).is_file()

    def is_encrypted(self, name: str) -> bool:
        """Whether it takes a passphrase to use the key."""
        return b"ENCRYPTED" in self._private(name).read_bytes()[:64]

    def public_path(self, name: str) -> Path:
        """The file to hand on."""
        return self.folder / f"{name}.pub"

    def private_path(self, name: str) -> Path:
        """The file that stays."""
        return self._private(name)

    def signer(self, name: str, *, passphrase: bytes | None = None) -> CryptoSigner:
        """What signs with a key of this folder.

        Raises:
            OperatorError: it is not here, others may read it, or the passphrase is not its own.
        """
        path = self._private(name)
        try:
            content, mode = path.read_bytes(), path.stat().st_mode
        except OSError as error:
            raise OperatorError(
                f"the private key '{name}' is not here: {error}", remedy="'windlass keys list' shows what is"
            ) from error
        if mode & 0o077:
            raise OperatorError(
                f"others may read the private key {path}", remedy=f"take it from them: chmod 600 {path}"
            )
        return CryptoSigner(_load_private(content, passphrase, path))

    def find(self, keyids: Collection[str]) -> tuple[str, ...]:
        """The names of the keys whose private half is here, among those with these ids."""
        return tuple(
            each.name for each in self.public() if each.key.keyid in keyids and self.has_private(each.name)
        )

    def _private(self, name: str) -> Path:
        return self.folder / f"{name}.key"


def load_public_key(path: Path) -> PublicKey:
    """Read a `.pub` file. Raises OperatorError."""
    try:
        text = path.read_bytes()[:_LONGEST].decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise OperatorError(
            f"cannot read the public key {path}: {reason}", remedy="take the .pub file of 'windlass keys new'"
        ) from error
    return parse_public_key(text, shown=str(path))


def _private_text(private: Ed25519PrivateKey, passphrase: bytes | None) -> bytes:
    how: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def _load_private(content: bytes, passphrase: bytes | None, path: Path) -> Ed25519PrivateKey:
    is_encrypted = b"ENCRYPTED" in content[:64]
    if is_encrypted and not passphrase:
        raise OperatorError(f"the key {path} has a passphrase", remedy="give it with --passphrase-file")
    try:
        private = load_pem_private_key(content, passphrase if is_encrypted else None)
    except (ValueError, TypeError) as error:
        what = "its passphrase is another one" if is_encrypted else "it was changed"
        raise OperatorError(f"the key {path} cannot be used: {what}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise OperatorError(f"the key {path} is not an Ed25519 key")
    return private


def _write_new(path: Path, content: bytes, *, mode: int) -> None:
    """Never over an existing file, and never readable by others for even a moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
