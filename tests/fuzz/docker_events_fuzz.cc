// The engine's event stream and pull progress: lines of bounded length out of any bytes, each read
// as an event, as progress and as the JSON of an image.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "broker/docker/engine_event.h"
#include "broker/docker/image_config.h"
#include "broker/docker/pull_progress.h"
#include "broker/io/line_splitter.h"
#include "broker/json/json.h"

namespace {

class Ignore final : public tidewaiter::run::ImageProgressSink {
  void OnProgress(std::string_view, std::string_view, std::int64_t, std::int64_t) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidewaiter;
  using namespace tidewaiter::docker;
  constexpr std::size_t kMaxLine = 4096;
  // The text of bytes is what a char is for.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  io::LineSplitter lines(kMaxLine);
  const std::size_t half = size / 2;
  for (const std::string_view piece : {text.substr(0, half), text.substr(half)}) {
    lines.Feed(piece, [](std::string_view line) {
      if (line.empty() || line.size() > kMaxLine) std::abort();
      static_cast<void>(ParseEngineEvent(line));
      if (const auto json = ParseJson(line); json) static_cast<void>(ReadImageConfig(*json));
      return true;
    });
  }
  Ignore ignore;
  PullProgress progress(ignore);
  progress.Feed(text);
  return 0;
}
