#include "wire/spec_json.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/printable.h"
#include "wire/json_reader.h"

namespace tidewaiter::wire {
namespace {

SpecFaults Fault(std::string rule, std::string message, std::string remedy) {
  return {{{std::move(rule), "", std::move(message), std::move(remedy)}}, std::nullopt};
}

// Whether `field` is `area` or a part of it.
bool IsWithin(std::string_view field, std::string_view area) noexcept {
  if (!field.starts_with(area)) return false;
  return field.size() == area.size() || field[area.size()] == '.' || field[area.size()] == '[';
}

}  // namespace

bool SpecFaults::Explain(std::string_view field) const {
  return std::any_of(list.begin(), list.end(), [field](const policy::Violation& fault) {
    return fault.rule != "spec.unknown-field" &&
           (IsWithin(field, fault.field) || IsWithin(fault.field, field));
  });
}

tl::expected<v1::RunSpec, SpecFaults> ParseSpecJson(std::string_view json) {
  if (json.size() > kMaxSpecJsonBytes) {
    return tl::unexpected(Fault("spec.too-large", fmt::format("{} bytes", json.size()),
                                fmt::format("at most {} bytes", kMaxSpecJsonBytes)));
  }
  try {
    v1::RunSpec spec;
    JsonReading reading = ReadJson(json, kMaxSpecJsonDepth, spec);
    if (reading.faults.empty()) return spec;
    SpecFaults faults{std::move(reading.faults), std::nullopt};
    if (reading.complete) faults.rest = std::move(spec);
    return tl::unexpected(std::move(faults));
  } catch (const std::exception& failure) {
    return tl::unexpected(
        Fault("spec.syntax", Printable(failure.what()), "one JSON object, RFC 8259"));
  }
}

std::string MessageToJson(const google::protobuf::Message& message) {
  std::string json;
  // Only text that is not UTF-8 could fail, and protobuf does not hold such text in string fields.
  const auto status = google::protobuf::util::MessageToJsonString(message, &json);
  return status.ok() ? json : std::string("{}");
}

std::string SpecToJson(const v1::RunSpec& spec) {
  return MessageToJson(spec);
}

}  // namespace tidewaiter::wire
