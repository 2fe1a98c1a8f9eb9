// golden BUNDLE: replay a bundle's golden trace with ONNX Runtime's C++ API, from the manifest alone.
// Prints one JSON object; exits with 1 above 1e-6. Checksums are not examined here: `sha256sum` and `simshift verify` do.
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr double kTolerance = 1e-6;
using Floats = std::vector<float>;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

// --- The block style of YAML that a manifest is written in: nested mappings, sequences, plain scalars.

struct Node {
  std::string text;
  std::vector<Node> items;                         // of a sequence
  std::vector<std::pair<std::string, Node>> keys;  // of a mapping

  const Node& at(const std::string& key) const {
    for (const auto& [name, value] : keys)
      if (name == key) return value;
    throw std::runtime_error("manifest.yaml: " + key + " is missing");
  }
  double number() const { return std::stod(text); }
};

struct Line {
  size_t indent;
  std::string text;
};

std::string scalar(const std::string& text) {
  const bool quoted = text.size() > 1 && text.front() == '\'' && text.back() == '\'';
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// A sequence may stand at its key's own indentation, as in "shape:\n- 1".
Node parse(std::vector<Line>& lines, size_t& place, size_t indent) {
  Node node;
  while (place < lines.size() && lines[place].indent == indent) {
    std::string& text = lines[place].text;
    if (text.rfind("- ", 0) == 0) {
      if (!node.keys.empty()) break;
      const std::string rest = text.substr(2);
      if (rest.find(": ") == std::string::npos && rest.back() != ':') {
        node.items.push_back({scalar(rest), {}, {}});
        ++place;
      } else {
        lines[place] = {indent + 2, rest};
        node.items.push_back(parse(lines, place, indent + 2));
      }
      continue;
    }
    if (!node.items.empty()) break;
    const size_t colon = text.find(':');
    if (colon == std::string::npos) throw std::runtime_error("manifest.yaml: unexpected line: " + text);
    const std::string key = text.substr(0, colon);
    const std::string value = text.size() > colon + 2 ? text.substr(colon + 2) : "";
    ++place;
    Node child{value == "[]" || value == "{}" ? "" : scalar(value), {}, {}};
    if (value.empty() && place < lines.size()) {
      const bool sequence = lines[place].indent == indent && lines[place].text.rfind("- ", 0) == 0;
      if (sequence || lines[place].indent > indent) child = parse(lines, place, lines[place].indent);
    }
    node.keys.emplace_back(key, child);
  }
  return node;
}

// One section of the manifest, from its key at the margin to the next; other sections may hold any YAML.
Node section(const std::string& manifest, const std::string& wanted) {
  std::vector<Line> lines;
  bool inside = false;
  for (size_t start = 0; start < manifest.size();) {
    const size_t stop = std::min(manifest.find('\n', start), manifest.size());
    const std::string line = manifest.substr(start, stop - start);
    start = stop + 1;
    const size_t indent = line.find_first_not_of(' ');
    if (indent == std::string::npos) continue;
    if (indent == 0 && line[0] != '-') inside = line.rfind(wanted + ":", 0) == 0;
    if (inside) lines.push_back({indent, line.substr(indent)});
  }
  size_t place = 0;
  return lines.empty() ? Node{} : parse(lines, place, 0).at(wanted);
}

// --- NumPy's .npz as a bundle holds it: an uncompressed zip of float32 arrays.

struct Array {
  int64_t rows = 0;
  Floats values;
  Floats row(int64_t t) const {
    const auto size = static_cast<int64_t>(values.size()) / rows;
    return {values.begin() + t * size, values.begin() + (t + 1) * size};
  }
};

template <typename T>
T little(const std::string& data, size_t place) {  // on a little-endian machine
  T value;
  if (place + sizeof(T) > data.size()) throw std::runtime_error("golden.npz is cut short");
  std::memcpy(&value, data.data() + place, sizeof(T));
  return value;
}

Array read_npy(const std::string& data) {
  const size_t start = 10 + little<uint16_t>(data, 8);
  const std::string header = data.substr(10, start - 10);
  if (header.find("'<f4'") == std::string::npos || header.find("'fortran_order': False") == std::string::npos)
    throw std::runtime_error("golden.npz: unexpected array " + header);
  Array array;
  array.rows = std::stoll(header.substr(header.find("'shape': (") + std::strlen("'shape': (")));
  array.values.resize((data.size() - start) / sizeof(float));
  std::memcpy(array.values.data(), data.data() + start, array.values.size() * sizeof(float));
  return array;
}

std::map<std::string, Array> read_npz(const std::string& data) {
  const size_t end = data.rfind(std::string("PK\x05\x06", 4));
  if (end == std::string::npos) throw std::runtime_error("golden.npz is no zip file");
  std::map<std::string, Array> arrays;
  size_t place = little<uint32_t>(data, end + 16);
  for (int left = little<uint16_t>(data, end + 10); left > 0; --left) {
    if (little<uint16_t>(data, place + 10) != 0) throw std::runtime_error("golden.npz is compressed");
    const size_t size = little<uint32_t>(data, place + 24), name_size = little<uint16_t>(data, place + 28);
    const size_t local = little<uint32_t>(data, place + 42);
    const size_t start = local + 30 + little<uint16_t>(data, local + 26) + little<uint16_t>(data, local + 28);
    const std::string name = data.substr(place + 46, name_size);
    arrays[name.substr(0, name.rfind(".npy"))] = read_npy(data.substr(start, size));
    place += 46 + name_size + little<uint16_t>(data, place + 30) + little<uint16_t>(data, place + 32);
  }
  return arrays;
}

// --- The graph.

struct Tensor {
  std::string name;
  std::vector<int64_t> shape;
};

std::vector<Tensor> tensors(const Node& side) {
  std::vector<Tensor> specs;
  for (const Node& item : side.items) {
    specs.push_back({item.at("name").text, {}});
    for (const Node& size : item.at("shape").items) specs.back().shape.push_back(std::stoll(size.text));
  }
  return specs;
}

Ort::Session open(Ort::Env& env, const std::string& path) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  options.AddConfigEntry("session.intra_op.allow_spinning", "0");
  return Ort::Session(env, path.c_str(), options);
}

std::vector<Floats> run(Ort::Session& session, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                        std::vector<Floats>& given) {
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::vector<const char*> in, out;
  std::vector<Ort::Value> values;
  for (size_t i = 0; i < inputs.size(); ++i) {
    in.push_back(inputs[i].name.c_str());
    const auto& shape = inputs[i].shape;
    values.push_back(Ort::Value::CreateTensor<float>(memory, given[i].data(), given[i].size(), shape.data(), shape.size()));
  }
  for (const Tensor& tensor : outputs) out.push_back(tensor.name.c_str());
  auto made = session.Run(Ort::RunOptions{nullptr}, in.data(), values.data(), in.size(), out.data(), out.size());
  std::vector<Floats> results;
  for (Ort::Value& value : made) {
    const float* data = value.GetTensorData<float>();
    results.emplace_back(data, data + value.GetTensorTypeAndShapeInfo().GetElementCount());
  }
  return results;
}

// Memory begins as the manifest says.
void require_initial(const Node& carry, const std::map<std::string, Array>& trace) {
  for (const Node& state : carry.items) {
    const Floats first = trace.at("carry_" + state.at("name").text).row(0);
    const Node& initial = state.at("initial");
    for (size_t i = 0; i < first.size(); ++i) {
      const double expected = initial.items.empty() ? initial.number() : initial.items.at(i).number();
      if (first[i] != static_cast<float>(expected))
        throw std::runtime_error(state.at("name").text + " does not start as the manifest says");
    }
  }
}

int replay(const std::string& folder) {
  const std::string manifest = read_file(folder + "/manifest.yaml");
  if (manifest.rfind("schema_version: 1\n", 0) != 0) throw std::runtime_error("manifest.yaml: another schema version");
  const auto inputs = tensors(section(manifest, "inputs")), outputs = tensors(section(manifest, "outputs"));
  const Node contract = section(manifest, "contract");
  const auto& scale = contract.at("action").at("scale").items;
  auto trace = read_npz(read_file(folder + "/golden.npz"));
  require_initial(section(manifest, "carry"), trace);
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "simshift");
  Ort::Session session = open(env, folder + "/step.onnx");
  double worst = 0;
  const int64_t steps = trace.at("action").rows;
  for (int64_t t = 0; t < steps; ++t) {
    std::vector<Floats> given;
    for (const Tensor& tensor : inputs) given.push_back(trace.at(tensor.name).row(t));
    const auto made = run(session, inputs, outputs, given);
    for (size_t k = 0; k < outputs.size(); ++k) {
      const Floats expected = trace.at(outputs[k].name).row(t);
      for (size_t i = 0; i < expected.size(); ++i) {
        const double unit = outputs[k].name == "action" ? scale.at(i).number() : std::max(1.0, std::abs(double(expected[i])));
        const double error = std::abs(double(made[k].at(i)) - expected[i]) / unit;
        worst = std::isfinite(error) ? std::max(worst, error) : INFINITY;
      }
    }
  }
  const bool holds = worst <= kTolerance;
  std::printf("{\"client\": \"cpp\", \"steps\": %lld, \"max_abs_error\": %.17g, \"tolerance\": %g, \"holds\": %s}\n",
              static_cast<long long>(steps), worst, kTolerance, holds ? "true" : "false");
  return holds ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw std::runtime_error("usage: golden BUNDLE (a folder)");
    return replay(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
}
