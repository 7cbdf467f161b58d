#include "wire/spec_json.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/printable.h"
#include "wire/json_shape.h"

namespace tidewaiter::wire {
namespace {

policy::Violation Fault(std::string rule, std::string field, std::string message,
                        std::string remedy) {
  return {std::move(rule), std::move(field), std::move(message), std::move(remedy)};
}

// "limits.memory_bytes" as "limits.memoryBytes". What is no field of `message` stays as it is.
std::string JsonPath(std::string_view path, const google::protobuf::Descriptor* message) {
  std::string out;
  while (!path.empty()) {
    const std::size_t name_end = std::min(path.find_first_of(".["), path.size());
    const std::size_t step_end = std::min(path.find('.', name_end), path.size());
    const std::string name(path.substr(0, name_end));
    const auto* field = message == nullptr ? nullptr : message->FindFieldByName(name);
    message = field == nullptr ? nullptr : field->message_type();
    if (!out.empty()) out += '.';
    out += field == nullptr ? name : field->json_name();
    out += path.substr(name_end, step_end - name_end);
    path.remove_prefix(std::min(step_end + 1, path.size()));
  }
  return out;
}

// protobuf says "(mounts[1].size_bytes): invalid value ...": the place is taken out where it can be
// found, since it is what a reader needs.
policy::Violation FromProtobufError(std::string text) {
  std::string field;
  if (text.starts_with('(')) {
    const std::size_t end = text.find(')');
    if (end != std::string::npos) {
      field = JsonPath(std::string_view(text).substr(1, end - 1), v1::RunSpec::descriptor());
      text.erase(0, text.find_first_not_of(": ", end + 1));
    }
  }
  std::replace(text.begin(), text.end(), '\'', '"');  // else Printable() escapes them
  return Fault("spec.wrong-type", Printable(field), Printable(text, 400),
               "what run_spec.proto says of the field");
}

}  // namespace

tl::expected<v1::RunSpec, policy::Violation> ParseSpecJson(std::string_view json) {
  if (json.size() > kMaxSpecJsonBytes) {
    return tl::unexpected(Fault("spec.too-large", "", fmt::format("{} bytes", json.size()),
                                fmt::format("at most {} bytes", kMaxSpecJsonBytes)));
  }
  try {
    if (auto fault = FindShapeFault(json, *v1::RunSpec::descriptor(), kMaxSpecJsonDepth)) {
      return tl::unexpected(*std::move(fault));
    }
    v1::RunSpec spec;
    const auto status = google::protobuf::util::JsonStringToMessage(
        google::protobuf::StringPiece(json.data(), json.size()), &spec);
    if (status.ok()) return spec;
    return tl::unexpected(
        FromProtobufError(std::string(status.message().data(), status.message().size())));
  } catch (const std::exception& failure) {
    return tl::unexpected(
        Fault("spec.syntax", "", Printable(failure.what()), "one JSON object, RFC 8259"));
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
