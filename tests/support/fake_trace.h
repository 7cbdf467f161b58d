// One list of what happened, in order, that all fakes of a test write to, so that "this before
// that" can be asserted over several ports. Thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace tidewaiter::testing {

// Long enough for a loaded machine under a sanitizer; a test that waits so long has failed.
inline constexpr std::chrono::seconds kPatience{20};

class FakeTrace {
 public:
  void Add(std::string what) {
    {
      const std::lock_guard lock(mutex_);
      all_.push_back(std::move(what));
    }
    changed_.notify_all();
  }

  [[nodiscard]] std::vector<std::string> All() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

  // What begins with `prefix`.
  [[nodiscard]] std::vector<std::string> Of(std::string_view prefix) const {
    std::vector<std::string> found;
    for (const std::string& what : All()) {
      if (what.starts_with(prefix)) found.push_back(what);
    }
    return found;
  }

  [[nodiscard]] std::size_t Count(std::string_view prefix) const { return Of(prefix).size(); }

  // Where the first entry that begins with `prefix` stands; All().size() where there is none.
  [[nodiscard]] std::size_t Index(std::string_view prefix) const {
    const std::vector<std::string> all = All();
    const auto found = std::find_if(
        all.begin(), all.end(), [&](const std::string& what) { return what.starts_with(prefix); });
    return static_cast<std::size_t>(found - all.begin());
  }

  // Waits until `count` entries begin with `prefix`; false where that does not happen.
  [[nodiscard]] bool WaitFor(std::string_view prefix, std::size_t count = 1) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] {
      return static_cast<std::size_t>(std::count_if(
                 all_.begin(), all_.end(),
                 [&](const std::string& what) { return what.starts_with(prefix); })) >= count;
    });
  }

  // Waits until there are `count` entries, or for `most`: to act at some moment, not after
  // something.
  void WaitSize(std::size_t count, std::chrono::milliseconds most) const {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, most, [&] { return all_.size() >= count; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::string> all_;
};

}  // namespace tidewaiter::testing
