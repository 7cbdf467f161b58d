#include "broker/daemon/check.h"

#include <fmt/format.h>

#include <memory>

#include "broker/daemon/audit_keys.h"
#include "broker/daemon/preparation.h"
#include "broker/docker/docker_backend.h"
#include "broker/io/event_loop.h"
#include "broker/io/http_client.h"

namespace tidewaiter::daemon {
namespace {

constexpr std::chrono::seconds kEnginePatience(10);

Result<std::string> DescribeEngine(const config::BrokerConfig& config) {
  TW_ASSIGN(const std::unique_ptr<io::EventLoop> loop, io::EventLoop::Start());
  TW_ASSIGN(const std::unique_ptr<io::HttpClient> http, io::HttpClient::Create(*loop));
  docker::DockerSettings settings;
  settings.socket = config.docker.socket;
  docker::DockerBackend backend(*loop, *http, std::move(settings));
  return backend.Describe(Deadline::After(kEnginePatience));
}

}  // namespace

bool Check(const std::string& config_path, std::ostream& out) {
  const auto print = [&out](std::string_view step, const Result<std::string>& found) {
    out << fmt::format("{:<6} {}: {}\n", found ? "ok" : "FAILED", step,
                       found ? *found : found.error().message);
  };
  const Result<Preparation> preparation = Prepare(config_path, print);
  if (!preparation) return false;
  const Result<std::string> key = DescribeHashKey(preparation->config.state_dir);
  print("audit hash key", key);
  const Result<std::string> engine = DescribeEngine(preparation->config);
  print("engine", engine);
  return key.has_value() && engine.has_value();
}

}  // namespace tidewaiter::daemon
