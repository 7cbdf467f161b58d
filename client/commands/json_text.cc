#include "client/commands/json_text.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

namespace tidewaiter::cli {

std::string JsonLine(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string FullLine(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string text;
  const bool printed = google::protobuf::util::MessageToJsonString(message, &text, options).ok();
  return printed ? text : "null";
}

std::string EventLine(const v1::RunEvent& event) {
  if (event.has_output_piece()) {
    auto value = nlohmann::ordered_json::parse(FullLine(event), nullptr, false);
    value["outputPiece"].erase("data");
    return JsonLine(value);
  }
  return event.has_admitted() ? JsonLine(ToJson(event)) : FullLine(event);
}

nlohmann::ordered_json ToJson(const google::protobuf::Message& message) {
  std::string text;
  // Fails on timestamps and durations outside of protobuf's range, which then print as null.
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) return nullptr;
  return nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace tidewaiter::cli
