#include "wire/spec_json.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <exception>

#include "base/printable.h"
#include "wire/json_shape.h"

namespace tidewaiter::wire {
namespace {

policy::Violation Fault(std::string rule, std::string field, std::string message,
                        std::string remedy) {
  return {std::move(rule), std::move(field), std::move(message), std::move(remedy)};
}

// protobuf says "(limits.memory_bytes): invalid value ..." or "limits.cpus: ...": the place is
// taken out where it can be found, since it is what a reader needs.
policy::Violation FromProtobufError(std::string_view text) {
  std::string field;
  if (text.starts_with('(')) {
    const std::size_t end = text.find(')');
    if (end != std::string_view::npos) {
      field = std::string(text.substr(1, end - 1));
      text.remove_prefix(end + 1);
      while (text.starts_with(':') || text.starts_with(' ')) text.remove_prefix(1);
    }
  }
  return Fault("spec.wrong-type", Printable(field), Printable(text, 400),
               "the type that run_spec.proto gives the field");
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
    const std::string text(status.message().data(), status.message().size());
    return tl::unexpected(FromProtobufError(text));
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
