// Walks a JSON text against a protobuf message's descriptor: every key must be a field's, no field
// may come twice, and every value must be of its field's type. Never builds a tree; depth and size
// are the caller's to bound by arguments.
#pragma once

#include <google/protobuf/descriptor.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "policy/violation.h"

namespace tidewaiter::wire {

// The first fault as ParseSpecJson tells it, or nothing. What only protobuf's own parser finds
// after that: a Duration's syntax and two members of one oneof.
std::optional<policy::Violation> FindShapeFault(std::string_view json,
                                                const google::protobuf::Descriptor& message,
                                                std::size_t max_depth);

}  // namespace tidewaiter::wire
