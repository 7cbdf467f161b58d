#include "broker/kubernetes/input_secrets.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/base64.h"
#include "base/printable.h"
#include "broker/kubernetes/network_policy.h"

namespace tidewaiter::kubernetes {

Result<std::vector<InputParts>> MeasureInputs(const policy::EffectiveRun& run,
                                              const run::InputReader& read, std::uint64_t max_bytes,
                                              const run::Patience& patience) {
  std::vector<InputParts> inputs;
  std::uint64_t all = 0;
  for (std::string& name : InputsOf(run)) {
    std::uint64_t bytes = 0;
    const auto count = [&](std::string_view piece) -> Result<void> {
      bytes += piece.size();
      if (bytes <= max_bytes - all) return Ok();
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("carry input {} to the cluster: the archives of all inputs have more "
                              "than {} bytes (max_input_bytes under [kubernetes])",
                              Quoted(name), max_bytes),
                  "INPUT_TOO_LARGE");
    };
    TW_TRY(read(name, count, patience));
    all += bytes;
    inputs.push_back({.name = std::move(name), .parts = (bytes + kPartBytes - 1) / kPartBytes});
  }
  return inputs;
}

Result<void> ForEachPart(const std::vector<InputParts>& inputs, const run::InputReader& read,
                         const run::Patience& patience, const TakePart& take) {
  std::size_t number = 0;
  for (const InputParts& input : inputs) {
    std::string part;
    std::size_t given = 0;
    const auto give = [&]() -> Result<void> {
      ++given;
      TW_TRY(take(number++, part));
      part.clear();
      return Ok();
    };
    const auto cut = [&](std::string_view piece) -> Result<void> {
      while (!piece.empty()) {
        const std::string_view fits = piece.substr(0, kPartBytes - part.size());
        part += fits;
        piece.remove_prefix(fits.size());
        if (part.size() == kPartBytes) TW_TRY(give());
      }
      return Ok();
    };
    TW_TRY(read(input.name, cut, patience));
    if (!part.empty()) TW_TRY(give());
    if (given == input.parts) continue;
    return Fail(ErrorCode::kInternal,
                fmt::format("carry input {} to the cluster: it has changed", Quoted(input.name)),
                "INPUT_FAILED");
  }
  return Ok();
}

Json SecretBody(const RunId& run_id, const ObjectLabels& labels, std::size_t number,
                std::string_view bytes, const Json& job) {
  return {{"apiVersion", "v1"},
          {"kind", "Secret"},
          {"metadata",
           {{"name", SecretName(run_id, number)},
            {"labels", labels.labels},
            {"annotations", labels.annotations},
            {"ownerReferences", Json::array({OwnerReference(job)})}}},
          {"type", "Opaque"},
          {"immutable", true},
          {"data", {{kSecretKey, EncodeBase64(bytes)}}}};
}

Result<void> CheckSecret(const Json& body, const Json& made) {
  for (const char* field : {"data", "type", "immutable"}) {
    if (At(made, {field}) == body.at(field)) continue;
    return Fail(ErrorCode::kFailedPrecondition,
                "create secret " + Quoted(TextAt(At(body, {"metadata"}), "name")) +
                    ": the cluster has another " + Quoted(field) +
                    " than was asked for: does a webhook change it?",
                "ENGINE_DIFFERS");
  }
  return Ok();
}

}  // namespace tidewaiter::kubernetes
