"""Who made a bundle: a detached Ed25519 signature (RFC 8032) over the sealed manifest.

The manifest holds the SHA-256 of every other file, so one signature covers the whole bundle. It is one line of text:
`ed25519`, the signer's public key and the signature, both in hexadecimal. Keys are PEM files, as OpenSSL writes them.
Only making keys, signing and checking need the `cryptography` package.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from export.manifest import BundleError

SIGNATURE = "signature.ed25519"

_LINE = re.compile(rb"\Aed25519 ([0-9a-f]{64}) ([0-9a-f]{128})\n\Z")


class Signature(NamedTuple):
    """A signature as the bundle states it: nothing is proven before `require_signed_by`."""

    public_key: bytes
    value: bytes

    @property
    def signer(self) -> str:
        """The signer's public key, 64 hexadecimal digits."""
        return self.public_key.hex()

    def line(self) -> bytes:
        """Return the content of the signature file."""
        return f"ed25519 {self.public_key.hex()} {self.value.hex()}\n".encode()


def parse_signature(data: bytes, source: str) -> Signature:
    """Read a signature file; raises `BundleError` when it is none."""
    found = _LINE.match(data)
    if found is None:
        raise BundleError(f"{source}: {SIGNATURE} is no signature; sign the bundle again, or copy it again")
    return Signature(*(bytes.fromhex(part.decode()) for part in found.groups()))


def make_keys(private: Path) -> tuple[Path, str]:
    """Write a new private key, readable by its owner alone, and the public key beside it with the suffix .pub.

    Returns the public key's path and its 64 hexadecimal digits. Raises `BundleError` when either file exists.
    """
    public = private.with_suffix(".pub")
    for path in (private, public):
        if path.exists():
            raise BundleError(f"{path}: exists already; a key is never overwritten, choose another name")
    keys, serial = _ed25519(), _serialization()
    key = keys.Ed25519PrivateKey.generate()
    private.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(serial.Encoding.PEM, serial.PrivateFormat.PKCS8, serial.NoEncryption()))
    pem = key.public_key().public_bytes(serial.Encoding.PEM, serial.PublicFormat.SubjectPublicKeyInfo)
    public.write_bytes(pem)
    return public, key.public_key().public_bytes_raw().hex()


def sign(sealed: bytes, private_key: Path) -> Signature:
    """Sign a sealed manifest; raises `BundleError` unless the file holds an unencrypted Ed25519 private key."""
    pem = _read_key(private_key)
    try:
        key = _serialization().load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise BundleError(f"{private_key}: no usable private key ({error}); make one: simshift keygen") from None
    if not isinstance(key, _ed25519().Ed25519PrivateKey):
        raise BundleError(f"{private_key}: a key of another kind; Ed25519 is needed: simshift keygen")
    return Signature(key.public_key().public_bytes_raw(), key.sign(sealed))


def require_signed_by(signature: Signature | None, sealed: bytes, public_key: Path, source: str) -> None:
    """Raise `BundleError` unless the sealed manifest is signed by the key in the file."""
    key = _load_public(public_key)
    wanted = key.public_bytes_raw()
    if signature is None:
        raise BundleError(f"{source} is not signed; it must be signed by {_named(wanted, public_key)}")
    if signature.public_key != wanted:
        raise BundleError(f"{source} is signed by {signature.signer}, not by {_named(wanted, public_key)}")
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature.value, sealed)
    except InvalidSignature:
        raise BundleError(
            f"{source}: the signature of {_named(wanted, public_key)} does not fit this manifest; "
            "the bundle was changed after it was signed: do not use it"
        ) from None


def _load_public(path: Path) -> Any:
    pem = _read_key(path)
    try:
        key = _serialization().load_pem_public_key(pem)
    except ValueError as error:
        raise BundleError(f"{path}: no public key ({error}); give the .pub file that simshift keygen wrote") from None
    if not isinstance(key, _ed25519().Ed25519PublicKey):
        raise BundleError(f"{path}: a key of another kind; Ed25519 is needed")
    return key


def _read_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: the key cannot be read ({error.strerror})") from None


def _named(key: bytes, path: Path) -> str:
    return f"{key.hex()} ({path})"


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ModuleNotFoundError:
        raise BundleError("signatures need the cryptography package: pip install 'simshift[sign]'") from None
    return ed25519


def _serialization() -> Any:
    _ed25519()
    from cryptography.hazmat.primitives import serialization

    return serialization
