// The policy that decides, and the one that is tried beside it. A reload replaces both at once.
// Thread: any.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "base/completion.h"
#include "base/guarded.h"
#include "policy/policy_set.h"

namespace tidewaiter::run {

struct Policies {
  std::shared_ptr<const policy::PolicySet> enforced;  // never null
  std::shared_ptr<const policy::PolicySet> shadow;    // null: none is tried
};

class PoliciesInForce {
 public:
  // Whoever holds it decides by these policies: it is held until the decision is on record, so that
  // a reload can tell when the old ones decide nothing any more.
  using Lease = std::shared_ptr<const Policies>;
  // Set when nobody holds a lease of some policies.
  using Retired = std::shared_ptr<Completion<bool>>;

  explicit PoliciesInForce(Policies policies) {
    state_.Lock()->current = Make(std::move(policies));
  }

  [[nodiscard]] Lease Get() {
    auto state = state_.Lock();
    return Lease(state->current, &state->current->policies);
  }

  // What is taken from now on is this. Returns when the ones before are retired.
  Retired Replace(Policies policies) {
    std::shared_ptr<Generation> old = Make(std::move(policies));
    {
      auto state = state_.Lock();
      std::swap(state->current, old);
      if (state->observer) state->observer(*state->current->policies.enforced);
    }
    return old->retired;
  }

  // Called at each Replace with what is enforced from then on; under a lock, so it must neither
  // block nor call back. Empty: nobody. The one before is not running when this returns, and is not
  // called again.
  void Observe(std::function<void(const policy::PolicySet& enforced)> observer) {
    state_.Lock()->observer = std::move(observer);
  }

 private:
  struct Generation {
    explicit Generation(Policies p) : policies(std::move(p)) {}
    ~Generation() { retired->Set(true); }
    Generation(const Generation&) = delete;
    Generation& operator=(const Generation&) = delete;
    const Policies policies;
    const Retired retired = std::make_shared<Completion<bool>>();
  };
  struct State {
    std::shared_ptr<Generation> current;
    std::function<void(const policy::PolicySet&)> observer;
  };
  static std::shared_ptr<Generation> Make(Policies policies) {
    return std::make_shared<Generation>(std::move(policies));
  }

  Guarded<State> state_;
};

}  // namespace tidewaiter::run
