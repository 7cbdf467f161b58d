// Compares what the engines hold under this broker's id with the runs that are known, and removes
// by exact id what no run knows. A thing is removed only when two comparisons in a row found it
// unknown: what is just being created or removed never is. The reaper's thread only.
#pragma once

#include <functional>
#include <set>
#include <stop_token>
#include <string>
#include <tuple>

#include "broker/run/environment.h"

namespace tidewaiter::run {

class Strays {
 public:
  // `is_known` says whether a run of this id is active or overdue.
  Strays(const Environment& environment, std::function<bool(const RunId&)> is_known);

  // One comparison with every engine. An engine that does not answer is left for the next one.
  void Compare(const std::stop_token& stop);

 private:
  // Backend, kind, id.
  using Key = std::tuple<std::string, Resource::Kind, std::string>;
  // False where the backend does not answer: the rest is for the next comparison.
  bool Remove(Backend& backend, const Backend::Owned& owned);

  const Environment& environment_;
  const std::function<bool(const RunId&)> is_known_;
  std::set<Key> unknown_;  // at the last comparison
};

}  // namespace tidewaiter::run
