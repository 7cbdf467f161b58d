// Compares what the engines hold under this broker's id with the runs that are known, and removes
// by exact id what no run knows. A thing is removed only when two listings in a row found it
// unknown: what is just being created or removed never is. The first comparison with an engine
// lists twice at once, since what it finds has no run since before this process began, and only
// once where this process has had no run that could have ended meanwhile; each later one lists
// once, and the one before was the other. The reaper's thread only, which has others help
// it where there are many to remove.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "base/result.h"
#include "broker/run/environment.h"

namespace tidewaiter::run {

class Strays {
 public:
  // `is_known` says whether a run of this id is active or overdue, `any_begun` whether any run
  // has been active since this process began.
  Strays(const Environment& environment, std::function<bool(const RunId&)> is_known,
         std::function<bool()> any_begun);

  // One comparison with every engine. One that cannot be listed is left for the next comparison,
  // and the log is told so, once until it can be again.
  void Compare(const std::stop_token& stop);

  // How many were to be removed at the last comparison and are still there. Any thread.
  [[nodiscard]] std::uint32_t Left() const { return left_; }
  // Whether what an engine holds could not be listed when that was last tried. Any thread.
  [[nodiscard]] bool Failing() const { return failing_; }

 private:
  // Kind, id.
  using Key = std::pair<Resource::Kind, std::string>;
  using Strangers = std::vector<Backend::Owned>;
  using Keys = std::set<Key>;
  // How many of this engine's were to be removed and are still there.
  Result<std::uint32_t> CompareWith(const std::string& name, Backend& backend,
                                    const std::stop_token& stop);
  void Tell(const std::string& name, const Result<std::uint32_t>& compared);
  // What it holds and no run knows.
  Result<Strangers> ListUnknown(const std::string& name, Backend& backend,
                                const std::stop_token& stop);
  // Settles what is overdue and is not among `listed`, which is all that there is.
  void SettleGone(const std::string& name, const Strangers& listed);
  // How many of them are still there.
  std::uint32_t RemoveAll(const std::string& name, Backend& backend, const Strangers& strangers,
                          const std::stop_token& stop);
  [[nodiscard]] Removal Remove(const std::string& name, Backend& backend,
                               const Backend::Owned& owned, Deadline deadline);

  const Environment& environment_;
  const std::function<bool(const RunId&)> is_known_;
  const std::function<bool()> any_begun_;
  std::map<std::string, Keys> unknown_;  // of each backend that has answered, at its last listing
  // Recorded so, and whose it is, of each backend.
  Guarded<std::map<std::string, std::map<Key, RunId>>> overdue_;
  std::set<std::string> silent_;  // backends that could not be listed
  std::atomic<std::uint32_t> left_ = 0;
  std::atomic<bool> failing_ = false;
};

}  // namespace tidewaiter::run
