// The engine's multiplexed stream: whatever the bytes and however they are cut, no more payload
// comes out than went in, and the way of cutting changes nothing.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "broker/docker/log_frames.h"

namespace {

struct Parsed {
  std::string out;
  std::string err;
  bool failed = false;
};

Parsed Parse(std::span<const std::byte> data, std::size_t step) {
  Parsed parsed;
  tidewaiter::docker::LogFrames frames;
  while (!data.empty()) {
    const std::size_t size = step < data.size() ? step : data.size();
    const auto fed = frames.Feed(data.first(size), [&parsed](tidewaiter::run::OutputStream stream,
                                                             std::span<const std::byte> payload) {
      std::string& to = stream == tidewaiter::run::OutputStream::kStdout ? parsed.out : parsed.err;
      for (const std::byte b : payload) to += std::to_integer<char>(b);
    });
    parsed.failed = !fed.has_value();
    data = data.subspan(size);
  }
  return parsed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const Parsed whole = Parse(bytes, size == 0 ? 1 : size);
  const Parsed cut = Parse(bytes, 1 + size % 11);
  if (whole.out != cut.out || whole.err != cut.err || whole.failed != cut.failed) std::abort();
  if (whole.out.size() + whole.err.size() > size) std::abort();
  return 0;
}
