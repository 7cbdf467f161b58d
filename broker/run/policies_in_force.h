// The policy that decides, and the one that is tried beside it. A reload replaces both at once; who
// has taken them keeps them for as long as it looks at them. Thread: any.
#pragma once

#include <memory>
#include <utility>

#include "base/guarded.h"
#include "policy/policy_set.h"

namespace tidewaiter::run {

struct Policies {
  std::shared_ptr<const policy::PolicySet> enforced;  // never null
  std::shared_ptr<const policy::PolicySet> shadow;    // null: none is tried
};

class PoliciesInForce {
 public:
  explicit PoliciesInForce(Policies policies) : policies_(std::move(policies)) {}

  [[nodiscard]] Policies Get() { return *policies_.Lock(); }

  // What has been taken before stays as it was; what is taken from now on is this.
  void Replace(Policies policies) {
    // The old ones are destroyed outside of the lock: they may be large.
    std::swap(*policies_.Lock(), policies);
  }

 private:
  Guarded<Policies> policies_;
};

}  // namespace tidewaiter::run
