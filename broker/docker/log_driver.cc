#include "broker/docker/log_driver.h"

#include <charconv>
#include <string>

namespace tidewaiter::docker {
namespace {

constexpr std::int64_t kFiles = 5;
constexpr std::int64_t kMinFileBytes = std::int64_t{64} << 10U;

std::uint64_t Number(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

}  // namespace

Json KeptLogConfig(std::int64_t log_bytes) {
  return {{"Type", "local"},
          {"Config",
           {{"compress", "false"},
            {"max-file", std::to_string(kFiles)},
            {"max-size", std::to_string(log_bytes + kMinFileBytes)}}}};
}

Json NoLogConfig() {
  return {{"Type", "none"}, {"Config", Json::object()}};
}

std::uint64_t SafeLogBytes(const Json& log_config) {
  if (TextAt(log_config, "Type") != "local") return 0;
  const Json& config = At(log_config, {"Config"});
  const std::uint64_t files = Number(TextAt(config, "max-file"));
  const std::uint64_t size = Number(TextAt(config, "max-size"));
  // Beyond any that KeptLogConfig asks for, for the product to fit.
  if (files < 2 || files > 1000 || size > (std::uint64_t{1} << 50U)) return 0;
  return (files - 1) * size;
}

}  // namespace tidewaiter::docker
