// A denial as a person reads it. Pure.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <string>

#include "client/terminal.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::client {

// A head line and three lines per violation, ending in a line feed, with everything that the broker
// sent made safe for the terminal:
//   denied by policy 'default': 2 violations
//
//   image  (images.tag-required)
//     why     no tag
//     remedy  name a semver tag
std::string DenialText(const v1::Denied& denied, const Terminal& terminal);

// The violations alone.
std::string ViolationsText(const google::protobuf::RepeatedPtrField<v1::Violation>& violations,
                           const Terminal& terminal);

}  // namespace tidewaiter::client
