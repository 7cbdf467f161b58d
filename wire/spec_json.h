// RunSpec as protobuf JSON (https://protobuf.dev/programming-guides/json), the spec file of the
// command line, read strictly.
//
// protobuf's own parser takes more than a gate may take: of two equal keys the last wins (and
// "readOnlyRootfs" beside "read_only_rootfs" are equal keys), it converts types ("false" to false,
// an object to a list of one), and it forgives what is no JSON. So the text is read here, against
// the message's descriptor. Pure; any thread; no exception leaves.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "policy/violation.h"
#include "tidewaiter/v1/run_spec.pb.h"

namespace tidewaiter::wire {

inline constexpr std::size_t kMaxSpecJsonBytes = std::size_t{1} << 20U;
inline constexpr std::size_t kMaxSpecJsonDepth = 32;

// What is wrong with a text that is no RunSpec.
struct SpecFaults {
  // In the form of violations, since they are told beside them; never empty. Rules:
  // "spec.too-large", "spec.syntax" (no JSON, or nested too deeply), "spec.unknown-field",
  // "spec.duplicate-field", "spec.wrong-type". `field` is the JSON path, "mounts[1].bind.sorce", in
  // lowerCamelCase whatever spelling came in; empty where the fault is the text's as a whole.
  std::vector<policy::Violation> list;
  // All but what is at fault, so that its violations can be told too; never to be run. Absent where
  // the text was not read to its end.
  std::optional<v1::RunSpec> rest;

  // Whether a violation of the rest in that field follows from a fault.
  [[nodiscard]] bool Explain(std::string_view field) const;
};

tl::expected<v1::RunSpec, SpecFaults> ParseSpecJson(std::string_view json);

// One line, lowerCamelCase names, absent and default values left out.
std::string SpecToJson(const v1::RunSpec& spec);

// Any message of the contract in the same form, for --json.
std::string MessageToJson(const google::protobuf::Message& message);

}  // namespace tidewaiter::wire
