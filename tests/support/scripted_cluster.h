// A cluster by script: lists and objects as the test sets them, and watches into which it speaks,
// each until the test cuts it. A pod's log is spoken into likewise, as "log".
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/fake_http.h"

namespace tidewaiter::testing {

class ScriptedCluster {
 public:
  using Response = Result<io::HttpResponse>;

  // The answer to every list of `plural` ("jobs") from now on. Items: JSON texts with commas.
  void SetList(const std::string& plural, const std::string& version, const std::string& items) {
    const std::lock_guard lock(mutex_);
    lists_[plural] =
        R"({"metadata":{"resourceVersion":")" + version + R"("},"items":[)" + items + "]}";
  }
  // The answer to METHOD of URLs that contain `part`, before all others.
  void SetAnswer(const std::string& method_and_part, Response answer) {
    const std::lock_guard lock(mutex_);
    answers_.insert_or_assign(method_and_part, std::move(answer));
  }
  // Says one line to the open watch of `plural`, after waiting until there is one.
  void Say(const std::string& plural, const std::string& line) {
    const std::lock_guard lock(mutex_);
    watches_[plural].said += line + "\n";
    changed_.notify_all();
  }
  // Ends the open watch of `plural`.
  void Cut(const std::string& plural) {
    const std::lock_guard lock(mutex_);
    watches_[plural].cut = true;
    changed_.notify_all();
  }
  // What the watches of `plural` that are opened from now on are answered; 200: they are open.
  void Refuse(const std::string& plural, Response answer) {
    const std::lock_guard lock(mutex_);
    watches_[plural].answer = std::move(answer);
    changed_.notify_all();
  }
  // The URL of the watch number `count`, from 1, once it has been asked for; "" where it is not.
  std::string WatchUrl(const std::string& plural, std::size_t count) {
    std::unique_lock lock(mutex_);
    auto& urls = watches_[plural].urls;
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return urls.size() >= count; });
    return urls.size() >= count ? urls[count - 1] : "";
  }
  // How many streams of `plural` there were; of all.
  std::size_t Watches(const std::string& plural) {
    const std::lock_guard lock(mutex_);
    return watches_[plural].urls.size();
  }
  std::size_t Watches() {
    const std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (const auto& [plural, watch] : watches_) count += watch.urls.size();
    return count;
  }
  // How many requests of METHOD there were to URLs that contain `part`.
  std::size_t Count(const std::string& method_and_part) {
    std::size_t count = 0;
    for (const io::HttpRequest& request : http_.requests()) {
      if (Matches(request, method_and_part)) ++count;
    }
    return count;
  }
  FakeHttp& http() { return http_; }

 private:
  struct Watch {
    std::vector<std::string> urls;
    std::string said;
    bool cut = false;
    Response answer = Answer(200);
  };

  static bool Matches(const io::HttpRequest& request, const std::string& method_and_part) {
    const std::size_t space = method_and_part.find(' ');
    return request.method == method_and_part.substr(0, space) &&
           request.url.find(method_and_part.substr(space + 1)) != std::string::npos;
  }
  static std::string PluralOf(const std::string& url) {
    if (url.find("/log?") != std::string::npos) return "log";
    for (const char* plural : {"jobs", "pods", "secrets", "networkpolicies", "events"}) {
      if (url.find(std::string("/") + plural) != std::string::npos) return plural;
    }
    return "";
  }
  Response Fetch(const io::HttpRequest& request) {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, answer] : answers_) {
      if (Matches(request, key)) return answer;
    }
    const auto list = lists_.find(PluralOf(request.url));
    return Answer(200, list == lists_.end() ? R"({"metadata":{"resourceVersion":"1"},"items":[]})"
                                            : list->second);
  }
  Response Stream(const io::HttpRequest& request, const std::function<void()>& on_open,
                  const std::function<bool(std::string_view)>& on_data,
                  const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    Watch& watch = watches_[PluralOf(request.url)];
    watch.urls.push_back(request.url);
    changed_.notify_all();
    const Response answer = watch.answer;
    if (!answer || answer->status != 200) return answer;
    lock.unlock();
    on_open();
    lock.lock();
    for (;;) {
      changed_.wait(lock, stop, [&] { return watch.cut || !watch.said.empty(); });
      if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "cancelled");
      if (const std::string text = std::exchange(watch.said, {}); !text.empty()) {
        lock.unlock();
        const bool more = on_data(text);
        lock.lock();
        if (!more) return Answer(200);
      } else if (std::exchange(watch.cut, false)) {
        return Answer(200);
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, std::string> lists_;
  std::map<std::string, Response> answers_;
  std::map<std::string, Watch> watches_;
  FakeHttp http_{
      [this](const io::HttpRequest& request) { return Fetch(request); },
      [this](const io::HttpRequest& request, const auto& on_open, const auto& on_data,
             const std::stop_token& stop) { return Stream(request, on_open, on_data, stop); }};
};

}  // namespace tidewaiter::testing
