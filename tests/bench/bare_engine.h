// The engine's API with nothing around it, and the hardened body of the broker's own containers.
// Ends the process where the engine does not answer as it should. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "broker/io/event_loop.h"
#include "broker/io/http_client.h"

namespace tidewaiter::bench {

class BareEngine {
 public:
  BareEngine(std::string socket, const std::string& image)
      : socket_(std::move(socket)),
        loop_(*io::EventLoop::Start()),
        http_(*io::HttpClient::Create(*loop_)),
        image_id_(nlohmann::json::parse(Call("GET", "/images/" + image + "/json", "", 200))["Id"]) {
  }

  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] io::EventLoop& loop() { return *loop_; }

  // As the broker's own (broker/docker/container_config).
  [[nodiscard]] nlohmann::json Body() const {
    return {{"Image", image_id_},
            {"Cmd", {"true"}},
            {"Env", {"HOME=/tmp"}},
            {"User", "65534:65534"},
            {"AttachStdout", true},
            {"AttachStderr", true},
            {"HostConfig",
             {{"CapDrop", {"ALL"}},
              {"SecurityOpt", {"no-new-privileges"}},
              {"ReadonlyRootfs", true},
              {"Init", true},
              {"Memory", std::int64_t{2} << 30},
              {"MemorySwap", std::int64_t{2} << 30},
              {"NanoCpus", 1000000000},
              {"PidsLimit", 256},
              {"Ulimits", {{{"Name", "nofile"}, {"Soft", 1024}, {"Hard", 1024}}}},
              {"IpcMode", "private"},
              {"CgroupnsMode", "private"},
              {"NetworkMode", "none"},
              {"Tmpfs", {{"/tmp", "rw,noexec,nosuid,nodev,size=67108864,mode=1777"}}},
              {"LogConfig", {{"Type", "none"}}}}}};
  }

  // The answer's body.
  std::string Call(const std::string& method, const std::string& path, const std::string& body,
                   long expected) {
    io::HttpRequest request = To(method, path);
    if (!body.empty()) request.headers = {{"Content-Type", "application/json"}};
    request.body = body;
    auto response = http_->Fetch(request, {}, Deadline::After(std::chrono::seconds(60)));
    if (!response.has_value() || response->status != expected) {
      std::fprintf(
          stderr, "%s %s: %s\n", method.c_str(), path.c_str(),
          response.has_value() ? response->body.c_str() : response.error().message.c_str());
      std::exit(1);
    }
    return response->body;
  }

  // An answer without an end, until `stop`.
  void Stream(const std::string& path, const std::stop_token& stop, std::function<void()> on_open,
              std::function<bool(std::string_view)> on_data) {
    static_cast<void>(http_->Stream(To("GET", path), stop, Deadline::Never(), std::move(on_open),
                                    std::move(on_data)));
  }

 private:
  [[nodiscard]] io::HttpRequest To(const std::string& method, const std::string& path) const {
    io::HttpRequest request;
    request.method = method;
    request.url = "http://docker/v1.41" + path;
    request.unix_socket = socket_;
    return request;
  }

  std::string socket_;
  std::unique_ptr<io::EventLoop> loop_;
  std::unique_ptr<io::HttpClient> http_;
  std::string image_id_;
};

}  // namespace tidewaiter::bench
