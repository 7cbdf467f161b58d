// How many places each principal has taken of something that all share (readers of the audit log,
// calls that block): one alone must not lock out the others.
// Thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/guarded.h"

namespace tidewaiter::rpc {

class PrincipalPlaces {
 public:
  explicit PrincipalPlaces(std::size_t max_per_principal) : max_per_principal_(max_per_principal) {}

  // A place for as long as the pointer is held; null where the principal has all of its own. The
  // place may outlive this object.
  [[nodiscard]] std::shared_ptr<void> Take(const std::string& principal);

 private:
  using Counts = Guarded<std::map<std::string, std::size_t, std::less<>>>;

  const std::size_t max_per_principal_;
  const std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();  // of those that have any
};

}  // namespace tidewaiter::rpc
