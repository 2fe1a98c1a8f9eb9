"""The bundle: one folder or zip that carries a policy to a robot, sealed so that one changed byte is noticed.

The manifest lists the SHA-256 of every other file; its own last line is the SHA-256 of all bytes above it. This
finds damage and mix-ups. Who can write the files can write a new seal; against that, `export.signing` adds a signature.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from domain_rand.schema import ConfigError, UniqueKeyLoader
from export.containers import MANIFEST, read_container, write_container
from export.manifest import SCHEMA_VERSION, BundleError, Manifest
from export.signing import SIGNATURE, Signature, parse_signature, require_signed_by, sign

ADAPT_GRAPH = "adapt.onnx"
STEP_GRAPH, GOLDEN, MODEL_CARD = "step.onnx", "golden.npz", "MODEL_CARD.md"
REQUIRED = (STEP_GRAPH, GOLDEN, MODEL_CARD)
MAX_MANIFEST_BYTES = 4 * 2**20
"""YAML is read at about 1 MB in 10 s; the largest manifests hold the initial memory of a policy."""

_VERSION = re.compile(rb"\Aschema_version: (\d{1,9})\n")
_SEAL = re.compile(rb"manifest_sha256: ([0-9a-f]{64})\n\Z")
_MALFORMED = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What PyYAML raises for text that is no YAML, and, from its conversions, for a value that contradicts its tag."""

_AGAIN = "copy the bundle again or export it anew"


@dataclass(frozen=True)
class Bundle:
    """A checked bundle in memory: its manifest and the bytes of its other files by name.

    `sealed` is the manifest as it was read; `signature` is what the bundle states, proven by nobody.
    """

    manifest: Manifest
    files: Mapping[str, bytes] = field(repr=False)
    source: str = "bundle"
    sealed: bytes = field(default=b"", repr=False)
    signature: Signature | None = None


def read_bundle(path: str | Path, public_key: str | Path | None = None) -> Bundle:
    """Read and check a bundle, folder or zip.

    Raises `BundleError` for anything unsafe, of another schema version, incomplete, not as it was exported, or, where a
    public key is given, not signed by it.
    """
    bundle = check_files(read_container(Path(path)), str(path))
    if public_key is not None:
        require_signed_by(bundle.signature, bundle.sealed, Path(public_key), bundle.source)
    return bundle


def sign_bundle(path: str | Path, private_key: str | Path) -> Signature:
    """Sign a bundle where it lies, in place of any signature it has; its other files keep their bytes.

    Raises `BundleError` for a bundle or a key that cannot be used.
    """
    bundle = read_bundle(path)
    signature = sign(bundle.sealed, Path(private_key))
    content = {MANIFEST: bundle.sealed, SIGNATURE: signature.line(), **bundle.files}
    write_container(Path(path), content, overwrite=True)
    return signature


def write_bundle(
    destination: str | Path, manifest: Manifest, files: Mapping[str, bytes], *, overwrite: bool = False
) -> Bundle:
    """Write a bundle, a zip where `destination` ends in .zip, and return it as a reader will see it.

    Equal arguments give equal bytes. Checksums are filled in here; nothing half-written is ever visible. Raises
    `BundleError` when the destination exists and `overwrite` is not given.
    """
    sealed = manifest.model_copy(update={"files": {name: _sha256(files[name]) for name in sorted(files)}})
    content = {MANIFEST: manifest_bytes(sealed), **files}
    bundle = check_files(content, str(destination))
    if bundle.manifest != sealed:
        raise BundleError(f"{destination}: the manifest does not survive writing; provenance must be plain JSON data")
    write_container(Path(destination), content, overwrite)
    return bundle


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the manifest as YAML with its seal as the last line."""
    body = manifest.to_yaml().encode()
    return body + f"manifest_sha256: {_sha256(body)}\n".encode()


def check_files(content: Mapping[str, bytes], source: str) -> Bundle:
    """Check all files of a bundle against its manifest; raises `BundleError`."""
    if MANIFEST not in content:
        raise BundleError(f"{source}: {MANIFEST} is missing; this is no bundle, or only part of one: {_AGAIN}")
    manifest = _parse_manifest(content[MANIFEST], f"{source}: {MANIFEST}")
    signature = parse_signature(content[SIGNATURE], source) if SIGNATURE in content else None
    files = {name: data for name, data in content.items() if name not in (MANIFEST, SIGNATURE)}
    adapting = [ADAPT_GRAPH] if manifest.adaptation else []
    for name in sorted({*REQUIRED, *adapting, *manifest.files} - set(files)):
        raise BundleError(f"{source}: {name} is missing; {_AGAIN}")
    for name, data in files.items():
        if name not in manifest.files:
            raise BundleError(f"{source}: {name} does not belong to this bundle; remove it, or {_AGAIN}")
        if _sha256(data) != manifest.files[name]:
            raise BundleError(f"{source}: {name} is not the file that was exported (checksum differs); {_AGAIN}")
    return Bundle(manifest, files, source, content[MANIFEST], signature)


def _parse_manifest(data: bytes, where: str) -> Manifest:
    """Check version, then seal, then content: an unknown version may be sealed in an unknown way."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleError(f"{where} has {len(data)} bytes; at most {MAX_MANIFEST_BYTES} are read")
    _check_version(data, where)
    seal = _SEAL.search(data)
    if seal is None or _sha256(data[: seal.start()]) != seal[1].decode():
        raise BundleError(f"{where} was changed after export (its seal is broken); {_AGAIN}")
    try:
        return Manifest.parse(_load_yaml(data[: seal.start()]), where)
    except _MALFORMED as error:
        raise BundleError(f"{where} cannot be used ({error}); export the bundle anew") from None


def _check_version(data: bytes, where: str) -> None:
    found = _VERSION.match(data)
    if found is None:
        raise BundleError(
            f"{where} does not begin with its schema_version; it is damaged or no simshift bundle: {_AGAIN}"
        )
    version = int(found[1])
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"{where} has schema version {version}, newer than {SCHEMA_VERSION}, the one read here; "
            "upgrade simshift on this machine"
        )
    if version < SCHEMA_VERSION:
        raise BundleError(
            f"{where} has schema version {version}, older than {SCHEMA_VERSION}, the one read here; "
            "export the policy again with the current simshift"
        )


class _PlainLoader(UniqueKeyLoader):
    """YAML without aliases: a few bytes of them can stand for more data than any machine holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def _load_yaml(data: bytes) -> dict[str, Any]:
    content = yaml.load(data.decode("utf-8"), Loader=_PlainLoader)
    if not isinstance(content, dict):
        raise ConfigError("expected a mapping of keys to values")
    return content


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
