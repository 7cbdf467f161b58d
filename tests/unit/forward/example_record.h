// A line of a log and what is read of it.
#pragma once

#include <string>

#include "audit/record_header.h"
#include "broker/forward/forwarded_record.h"

namespace tidewaiter::forward {

// `padding` bytes longer than need be.
inline std::string ExampleLine(const std::string& type = "run.denied", std::size_t padding = 0) {
  return R"({"boot_id":"b","broker_id":"k","detail":")" + std::string(padding, 'x') +
         R"(","index":7,"principal":"ci \"one\"","run_id":"orsx","schema":1,)"
         R"("time":"2026-10-02T12:34:56.000120789Z","type":")" +
         type + R"("})";
}

// Borrows `line`.
inline ForwardedRecord ExampleRecord(const std::string& line) {
  return {.line = line, .header = audit::ReadHeader(line).value()};
}

}  // namespace tidewaiter::forward
