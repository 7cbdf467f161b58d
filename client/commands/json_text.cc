#include "client/commands/json_text.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

namespace tidewaiter::cli {

std::string JsonLine(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

nlohmann::ordered_json ToJson(const google::protobuf::Message& message) {
  std::string text;
  // Fails on timestamps and durations outside of protobuf's range, which then print as null.
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) return nullptr;
  return nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace tidewaiter::cli
