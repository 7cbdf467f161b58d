// How many runs were admitted and denied when, in bounded memory: by the hour, and by longer steps
// once the hours are too many. Plain data, one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "audit/timestamp.h"

namespace tidewaiter::audit {

class Timeline {
 public:
  enum class Decision { kAdmitted, kDenied };
  void Add(Timestamp when, Decision decision);

  struct Bar {
    std::chrono::sys_time<std::chrono::hours> begin;  // can be before what a Timestamp holds
    std::uint64_t admitted = 0;
    std::uint64_t denied = 0;
  };
  struct Bars {
    std::chrono::hours width{1};
    std::vector<Bar> bars;  // without a gap between the first and the last
  };
  // At most `most` bars, as narrow as that allows. Aligned to the epoch, so days are UTC's.
  [[nodiscard]] Bars Draw(std::size_t most) const;

 private:
  struct Counts {
    std::uint64_t admitted = 0;
    std::uint64_t denied = 0;
  };
  [[nodiscard]] static std::map<std::int64_t, Counts> Merge(
      const std::map<std::int64_t, Counts>& steps, std::int64_t by);

  std::int64_t hours_ = 1;  // of a step
  std::map<std::int64_t, Counts> steps_;
};

}  // namespace tidewaiter::audit
