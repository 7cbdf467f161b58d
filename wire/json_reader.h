// Reads a JSON text into a protobuf message, by the message's descriptor: every key must be a
// field's, no field may come twice, and every value must be of its field's type. Builds nothing but
// the message; depth and size are the caller's to bound by arguments.
#pragma once

#include <google/protobuf/message.h>

#include <cstddef>
#include <string_view>
#include <vector>

#include "policy/violation.h"

namespace tidewaiter::wire {

struct JsonReading {
  // As ParseSpecJson tells them, in the order of the text; not all where there are very many.
  std::vector<policy::Violation> faults;
  // Whether the text was read to its end: the message then lacks only what is at fault.
  bool complete = true;
};

// `message` is empty before.
JsonReading ReadJson(std::string_view json, std::size_t max_depth,
                     google::protobuf::Message& message);

}  // namespace tidewaiter::wire
