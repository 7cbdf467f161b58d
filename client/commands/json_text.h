// JSON lines for --json. Bytes of strangers that are not UTF-8 are replaced by U+FFFD, never an
// error. Thread: any.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace tidewaiter::cli {

// One line, without a line feed.
std::string JsonLine(const nlohmann::ordered_json& value);

// The protobuf JSON form (lowerCamelCase names, absent fields left out, 64-bit integers as strings,
// bytes in base64), as a value to put into a larger one.
nlohmann::ordered_json ToJson(const google::protobuf::Message& message);

}  // namespace tidewaiter::cli
