// node golden.mjs BUNDLE [PUBLIC_KEY]: replay the golden trace; prints one JSON object, exits with 1 above 1e-6.
import { readBundle, readNpz } from "./bundle.mjs";
import { Policy, initial } from "./policy.mjs";

const TOLERANCE = 1e-6;

const rowOf = (array, t) => {
  const size = array.values.length / array.shape[0];
  return array.values.slice(t * size, (t + 1) * size);
};
const equal = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);
const largest = (a, b, unit) => a.reduce((worst, value, i) => {
  const error = Math.abs(value - b[i]) / unit(i);
  return Number.isFinite(error) ? Math.max(worst, error) : Infinity;
}, 0);

// The trace is the first step of all, then the steps around the first new episode: memory runs on from the second row.
function requireMemoryRules(manifest, trace) {
  for (const state of manifest.carry) {
    const [before, after] = [trace[`carry_${state.name}`], trace[`next_${state.name}`]];
    if (!equal(rowOf(before, 0), initial(state))) throw new Error(`${state.name} does not start as the manifest says`);
    for (let t = 2; trace.episode_start && t < before.shape[0]; t++) {
      const starts = rowOf(trace.episode_start, t)[0] === 1;
      const kept = equal(rowOf(before, t), rowOf(after, t - 1)) && !(starts && state.reset === "episode");
      if (!kept && !(starts && equal(rowOf(before, t), initial(state)))) throw new Error(`${state.name}: row ${t}`);
    }
  }
}

const [folder, publicKey] = process.argv.slice(2);
const bundle = readBundle(folder, publicKey);
const { manifest } = bundle;
const trace = readNpz(bundle.files["golden.npz"]);
requireMemoryRules(manifest, trace);
const policy = await Policy.open(bundle);
const steps = trace.action.shape[0];
let worst = 0;
for (let t = 0; t < steps; t++) {
  for (const state of manifest.carry) policy.memory[state.name] = rowOf(trace[`carry_${state.name}`], t);
  const names = manifest.inputs.map(({ name }) => name);
  const made = await policy.step(Object.fromEntries(names.map((name) => [name, rowOf(trace[name], t)])));
  for (const { name } of manifest.outputs) {
    const expected = rowOf(trace[name], t);
    const unit = name === "action" ? (i) => manifest.contract.action.scale[i] : (i) => Math.max(1, Math.abs(expected[i]));
    worst = Math.max(worst, largest(made[name], expected, unit));
  }
}
const holds = worst <= TOLERANCE;
console.log(JSON.stringify({ client: "node", steps, max_abs_error: worst, tolerance: TOLERANCE, holds }));
process.exit(holds ? 0 : 1);
