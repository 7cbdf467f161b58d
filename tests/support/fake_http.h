// An engine or registry by script: every request is answered by the test's function, and kept.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "broker/io/http_client.h"

namespace tidewaiter::testing {

inline io::HttpResponse Answer(long status, std::string body = "", io::HttpHeaders headers = {}) {
  io::HttpResponse response;
  response.status = status;
  response.headers = std::move(headers);
  response.body = std::move(body);
  return response;
}

class FakeHttp final : public io::HttpClient {
 public:
  using Handler = std::function<Result<io::HttpResponse>(const io::HttpRequest&)>;
  // Gets the stream's on_data; the stream ends when it returns.
  using StreamHandler = std::function<Result<io::HttpResponse>(
      const io::HttpRequest&, const std::function<void()>& on_open,
      const std::function<bool(std::string_view)>& on_data, const std::stop_token& stop)>;

  explicit FakeHttp(Handler handler, StreamHandler stream = {})
      : handler_(std::move(handler)), stream_(std::move(stream)) {}

  Result<io::HttpResponse> Fetch(const io::HttpRequest& request, const std::stop_token&,
                                 Deadline) override {
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    return handler_(request);
  }
  Result<io::HttpResponse> Stream(const io::HttpRequest& request, const std::stop_token& stop,
                                  Deadline, std::function<void()> on_open,
                                  std::function<bool(std::string_view)> on_data) override {
    return stream_(request, on_open, on_data, stop);
  }
  // The same handler; its on_data blocks while the receiver pauses.
  Result<io::HttpResponse> StreamTo(const io::HttpRequest& request, const std::stop_token& stop,
                                    Deadline, const io::StreamReceiver& receiver) override {
    std::mutex mutex;
    std::condition_variable_any changed;
    bool resumed = false;
    const auto set_resumed = [&](bool value) {
      const std::lock_guard lock(mutex);
      resumed = value;
      changed.notify_all();
    };
    const auto on_data = [&](std::string_view data) {
      set_resumed(false);
      const io::StreamNext next = receiver.on_data(data);
      if (next != io::StreamNext::kPause) return next == io::StreamNext::kMore;
      std::unique_lock lock(mutex);
      return changed.wait(lock, stop, [&] { return resumed; });
    };
    if (receiver.control != nullptr) receiver.control->Bind([&] { set_resumed(true); });
    const auto on_open = receiver.on_open ? receiver.on_open : [] {};
    Result<io::HttpResponse> answer = stream_(request, on_open, on_data, stop);
    if (receiver.control != nullptr) receiver.control->Bind(nullptr);
    return answer;
  }

  // The same on a thread of its own.
  Result<std::unique_ptr<io::HttpStream>> Begin(
      io::HttpRequest request, Deadline deadline, io::StreamReceiver receiver,
      std::function<void(Result<io::HttpResponse>)> on_end) override {
    return std::unique_ptr<io::HttpStream>(
        std::make_unique<OwnThread>([=, this](const std::stop_token& stop) {
          auto result = StreamTo(request, stop, deadline, receiver);
          if (!stop.stop_requested()) on_end(std::move(result));
        }));
  }

  // "METHOD URL" of every Fetch so far.
  std::vector<std::string> Asked() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> asked;
    for (const io::HttpRequest& request : requests_) {
      asked.push_back(request.method + " " + request.url);
    }
    return asked;
  }
  std::vector<io::HttpRequest> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  class OwnThread final : public io::HttpStream {
   public:
    explicit OwnThread(std::function<void(const std::stop_token&)> work)
        : thread_(std::move(work)) {}

   private:
    std::jthread thread_;
  };

  const Handler handler_;
  const StreamHandler stream_;
  std::mutex mutex_;
  std::vector<io::HttpRequest> requests_;
};

inline std::string HeaderOf(const io::HttpRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return "";
}

inline constexpr const char* kVersionAnswer =
    R"({"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12"})";

}  // namespace tidewaiter::testing
