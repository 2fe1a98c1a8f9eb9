// Read a bundle's folder: seal, checksums and, with a public key, signature; and NumPy's .npz as the bundle holds it.
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as yaml from "js-yaml";

const SCHEMA_VERSION = 1;
const SEAL = /manifest_sha256: ([0-9a-f]{64})\n$/;
const sha256 = (data) => createHash("sha256").update(data).digest("hex");

/** The manifest and the bytes of all files by name; throws where the bundle is not as it was exported. */
export function readBundle(folder, publicKey) {
  const sealed = readFileSync(join(folder, "manifest.yaml"));
  const text = sealed.toString("utf8");
  if (!text.startsWith(`schema_version: ${SCHEMA_VERSION}\n`)) throw new Error("manifest.yaml: another schema version");
  const seal = text.match(SEAL);
  const body = sealed.subarray(0, sealed.lastIndexOf("manifest_sha256: "));
  if (!seal || sha256(body) !== seal[1]) throw new Error("manifest.yaml was changed after export");
  if (publicKey) requireSignedBy(folder, sealed, publicKey);
  const manifest = yaml.load(body.toString("utf8"));
  const files = Object.fromEntries(Object.keys(manifest.files).map((name) => [name, readFileSync(join(folder, name))]));
  for (const [name, data] of Object.entries(files))
    if (sha256(data) !== manifest.files[name]) throw new Error(`${name} is not the file that was exported`);
  return { manifest, files };
}

function requireSignedBy(folder, sealed, publicKey) {
  const key = createPublicKey(readFileSync(publicKey));
  const signature = readFileSync(join(folder, "signature.ed25519"), "utf8").trim().split(" ")[2];
  if (!verify(null, sealed, key, Buffer.from(signature, "hex"))) throw new Error("not signed by this key");
}

/** Arrays of an uncompressed .npz by name: {shape, values}, float32. */
export function readNpz(data) {
  const arrays = {};
  const end = data.lastIndexOf("PK\x05\x06", undefined, "latin1");
  let place = data.readUInt32LE(end + 16);
  for (let left = data.readUInt16LE(end + 10); left > 0; left--) {
    const [method, size] = [data.readUInt16LE(place + 10), data.readUInt32LE(place + 24)];
    const [nameSize, extra, comment] = [28, 30, 32].map((offset) => data.readUInt16LE(place + offset));
    const name = data.toString("utf8", place + 46, place + 46 + nameSize);
    if (method !== 0) throw new Error(`${name} is compressed`);
    const local = data.readUInt32LE(place + 42);
    const start = local + 30 + data.readUInt16LE(local + 26) + data.readUInt16LE(local + 28);
    arrays[name.replace(/\.npy$/, "")] = readNpy(data.subarray(start, start + size));
    place += 46 + nameSize + extra + comment;
  }
  return arrays;
}

function readNpy(data) {
  const header = data.toString("latin1", 10, 10 + data.readUInt16LE(8));
  if (!header.includes("'<f4'") || !header.includes("'fortran_order': False")) throw new Error(`unexpected ${header}`);
  const shape = header.match(/'shape': \(([^)]*)\)/)[1].split(",").filter((s) => s.trim()).map(Number);
  const bytes = data.subarray(10 + data.readUInt16LE(8));
  return { shape, values: new Float32Array(Uint8Array.from(bytes).buffer) };
}
