// Which request a decision was about, for who holds that request and asks later. Pure; any thread.
#pragma once

#include <string>

#include "tidewaiter/v1/run_spec.pb.h"

namespace tidewaiter::rpc {

// The 32 bytes of SHA-256 over `spec` in protobuf's deterministic serialization: fields by their
// numbers, entries of a map by their keys. Two messages that say the same have one digest, however
// their sender wrote them.
std::string RequestDigest(const v1::RunSpec& spec);

}  // namespace tidewaiter::rpc
