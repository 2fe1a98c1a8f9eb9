"""Signatures: made by one key over everything, refused by name otherwise, and no burden on who does not use them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from export.bundle import Bundle, read_bundle, sign_bundle, write_bundle
from export.containers import MANIFEST
from export.manifest import BundleError
from export.signing import SIGNATURE, make_keys, parse_signature
from export.verify import require_golden


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    private = tmp_path_factory.mktemp("keys") / "factory.key"
    return private, make_keys(private)[0]


@pytest.fixture(params=["bundle", "bundle.zip"])
def signed(bundle: Bundle, keys: tuple[Path, Path], tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    write_bundle(tmp_path / request.param, bundle.manifest, bundle.files)
    sign_bundle(tmp_path / request.param, keys[0])
    return tmp_path / request.param


def test_a_signed_bundle_is_accepted_with_its_key_and_without(
    signed: Path, bundle: Bundle, keys: tuple[Path, Path]
) -> None:
    for found in (read_bundle(signed, keys[1]), read_bundle(signed)):
        assert (found.manifest, found.files) == (read_bundle(signed).manifest, bundle.files)
        assert found.signature is not None
        require_golden(found)


def test_signing_twice_with_one_key_gives_equal_bytes(signed: Path, keys: tuple[Path, Path]) -> None:
    before = read_bundle(signed).signature
    assert sign_bundle(signed, keys[0]) == before


def test_an_unsigned_bundle_is_refused_where_a_key_is_demanded(folder: Path, keys: tuple[Path, Path]) -> None:
    with pytest.raises(BundleError, match=rf"{folder} is not signed; it must be .* [0-9a-f]{{64}} .*factory.pub"):
        read_bundle(folder, keys[1])


def test_another_signer_is_named(signed: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    other, digits = make_keys(tmp_path / "other.key")
    signer = read_bundle(signed).signature
    assert signer is not None
    with pytest.raises(BundleError, match=rf"is signed by {signer.signer}, not by {digits}"):
        read_bundle(signed, other)


def test_a_new_seal_does_not_help_who_cannot_sign(bundle: Bundle, keys: tuple[Path, Path], tmp_path: Path) -> None:
    """Whoever changes the manifest can seal it again, and can keep the old signature file."""
    path = tmp_path / "b"
    write_bundle(path, bundle.manifest, bundle.files)
    sign_bundle(path, keys[0])
    signature = (path / SIGNATURE).read_bytes()
    write_bundle(path, bundle.manifest.model_copy(update={"task": "another"}), bundle.files, overwrite=True)
    (path / SIGNATURE).write_bytes(signature)
    assert read_bundle(path).manifest.task == "another"
    with pytest.raises(BundleError, match="changed after it was signed"):
        read_bundle(path, keys[1])


def test_claiming_the_right_key_with_another_keys_signature_fails(
    bundle: Bundle, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "b"
    write_bundle(path, bundle.manifest, bundle.files)
    true = sign_bundle(path, keys[0])
    make_keys(tmp_path / "thief.key")
    stolen = sign_bundle(path, tmp_path / "thief.key")
    (path / SIGNATURE).write_bytes(stolen._replace(public_key=true.public_key).line())
    with pytest.raises(BundleError, match="does not fit this manifest"):
        read_bundle(path, keys[1])


@pytest.mark.parametrize("data", [b"", b"ed25519", b"ed25519 00 11\n", b"\xff" * 300, b"rsa " + b"0" * 64])
def test_a_damaged_signature_file_is_refused_even_unasked(folder: Path, data: bytes, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    (tmp_path / "b").mkdir()
    for name, content in (files | {SIGNATURE: data}).items():
        (tmp_path / "b" / name).write_bytes(content)
    with pytest.raises(BundleError, match="signature.ed25519 is no signature"):
        read_bundle(tmp_path / "b")


def test_any_other_tool_can_check_the_signature(signed: Path) -> None:
    """The signed bytes are the manifest file itself: nothing of this project is needed."""
    found = read_bundle(signed)
    assert found.signature is not None
    line = parse_signature(found.signature.line(), "b")
    key = ed25519.Ed25519PublicKey.from_public_bytes(line.public_key)
    key.verify(line.value, (signed / MANIFEST).read_bytes() if signed.is_dir() else found.sealed)


def test_the_private_key_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    key = tmp_path / "deep" / "my.key"
    make_keys(key)
    assert key.stat().st_mode & 0o077 == 0
    with pytest.raises(BundleError, match="never overwritten"):
        make_keys(key)


def test_keys_of_another_kind_are_refused(folder: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    (tmp_path / "ec.pub").write_bytes(
        other.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "ec.key").write_bytes(
        other.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with pytest.raises(BundleError, match=r"ec.pub: a key of another kind; Ed25519"):
        read_bundle(folder, tmp_path / "ec.pub")
    with pytest.raises(BundleError, match=r"ec.key: a key of another kind; Ed25519"):
        sign_bundle(folder, tmp_path / "ec.key")
    with pytest.raises(BundleError, match=r"factory.key: no public key"):
        read_bundle(folder, keys[0])
    with pytest.raises(BundleError, match=r"nowhere: the key cannot be read"):
        read_bundle(folder, tmp_path / "nowhere")


@pytest.mark.parametrize("key", [None, "any.pub"])
def test_cryptography_is_needed_only_to_check(folder: Path, tmp_path: Path, key: str | None) -> None:
    (tmp_path / "any.pub").write_text("-----BEGIN PUBLIC KEY-----")
    argument = "" if key is None else f", {str(tmp_path / key)!r}"
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        f"from export.bundle import read_bundle\nread_bundle({str(folder)!r}{argument})"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (result.returncode == 0) is (key is None)
    assert key is None or "pip install 'simshift[sign]'" in result.stderr
