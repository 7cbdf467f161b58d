// JSON lines for --json. Bytes of strangers that are not UTF-8 are replaced by U+FFFD, never an
// error. Thread: any.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::cli {

// One line, without a line feed.
std::string JsonLine(const nlohmann::ordered_json& value);

// The protobuf JSON form (lowerCamelCase names, absent fields left out, 64-bit integers as strings,
// bytes in base64), as a value to put into a larger one.
nlohmann::ordered_json ToJson(const google::protobuf::Message& message);

// The same as one line with every number, flag and text written out: a script may ask for exitCode
// where it is 0.
std::string FullLine(const google::protobuf::Message& message);
// A run's event: full, but for the specification in `admitted`, where absent is not zero, and the
// data of an output's piece, which goes into a folder.
std::string EventLine(const v1::RunEvent& event);

}  // namespace tidewaiter::cli
