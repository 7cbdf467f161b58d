// Runs that really passed a policy, for tests of what comes after: nothing but policy::Evaluate can
// make an AdmittedRun, a test neither.
#pragma once

#include <string>
#include <string_view>

#include "policy/admitted_run.h"
#include "policy/run_spec.h"

namespace tidewaiter::testing {

// A development policy that admits nearly everything that the schema can say, of any image of
// `repository` ("127.0.0.1:5000/lab/*"), with verify_tag as given.
std::string PermissivePolicy(std::string_view repository, bool verify_tag = false);

// Aborts the test program where the policy does not load or denies the run, saying why. Every bind
// source counts as trusted.
policy::AdmittedRun Admit(std::string_view policy_toml, const policy::RunSpec& spec);

}  // namespace tidewaiter::testing
