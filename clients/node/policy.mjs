// A bundle's policy in JavaScript, made from the manifest alone: what it reads, what it remembers, when it forgets.
import * as ort from "onnxruntime-node";

const ONE_QUIET_THREAD = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  executionProviders: ["cpu"],
};

const count = (shape) => shape.reduce((a, b) => a * b, 1);

/** The value that a carry state starts from, float32, row-major. */
export function initial(state) {
  const values = new Float32Array(count(state.shape));
  if (Array.isArray(state.initial)) values.set(state.initial);
  else values.fill(state.initial);
  return values;
}

export class Policy {
  constructor(manifest, session) {
    this.manifest = manifest;
    this.session = session;
    this.startTrial();
  }

  static async open(bundle) {
    return new Policy(bundle.manifest, await ort.InferenceSession.create(bundle.files["step.onnx"], ONE_QUIET_THREAD));
  }

  /** Forget everything. */
  startTrial() {
    this.memory = Object.fromEntries(this.manifest.carry.map((state) => [state.name, initial(state)]));
  }

  /** Forget what does not outlive an episode. */
  startEpisode() {
    for (const state of this.manifest.carry) if (state.reset === "episode") this.memory[state.name] = initial(state);
  }

  /** One control period: step inputs by name in (float32), all outputs by name out; the memory moves on. */
  async step(inputs) {
    const feeds = {};
    for (const { name, shape } of this.manifest.inputs) {
      const values = name.startsWith("carry_") ? this.memory[name.slice("carry_".length)] : inputs[name];
      if (values?.length !== count(shape)) throw new Error(`${name}: ${count(shape)} numbers are needed`);
      feeds[name] = new ort.Tensor("float32", values, shape);
    }
    const made = await this.session.run(feeds);
    for (const state of this.manifest.carry) this.memory[state.name] = Float32Array.from(made[`next_${state.name}`].data);
    return Object.fromEntries(this.manifest.outputs.map(({ name }) => [name, made[name].data]));
  }
}
