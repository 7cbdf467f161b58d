#include "broker/kubernetes/rights.h"

#include <array>

#include "broker/kubernetes/labels.h"
#include "broker/kubernetes/network_policy.h"

namespace tidewaiter::kubernetes {
namespace {

using Right = ClusterApi::Right;

constexpr std::string_view kBatch = "batch";
constexpr std::string_view kCore;
constexpr std::string_view kNetworking = "networking.k8s.io";

// Every right that this folder uses; tests/integration holds it against the Role.
constexpr std::array kNeeded{
    Right{"create", kBatch, "jobs", ""},
    Right{"get", kBatch, "jobs", ""},
    Right{"list", kBatch, "jobs", ""},
    Right{"watch", kBatch, "jobs", ""},
    Right{"patch", kBatch, "jobs", ""},
    Right{"delete", kBatch, "jobs", ""},
    Right{"update", kBatch, "jobs", "finalizers"},
    Right{"get", kCore, "pods", ""},
    Right{"list", kCore, "pods", ""},
    Right{"watch", kCore, "pods", ""},
    Right{"delete", kCore, "pods", ""},
    Right{"get", kCore, "pods", "log"},
    Right{"get", kCore, "pods", "exec"},
    Right{"create", kCore, "pods", "exec"},
    Right{"get", kCore, "pods", "attach"},
    Right{"create", kCore, "pods", "attach"},
    Right{"create", kCore, "secrets", ""},
    Right{"get", kCore, "secrets", ""},
    Right{"list", kCore, "secrets", ""},
    Right{"delete", kCore, "secrets", ""},
    Right{"create", kNetworking, "networkpolicies", ""},
    Right{"get", kNetworking, "networkpolicies", ""},
    Right{"list", kNetworking, "networkpolicies", ""},
    Right{"patch", kNetworking, "networkpolicies", ""},
    Right{"delete", kNetworking, "networkpolicies", ""},
    Right{"list", kCore, "events", ""},
};

std::string Name(const Right& right) {
  std::string name = "the right to " + std::string(right.verb) + " " + std::string(right.resource);
  if (!right.subresource.empty()) name.append("/").append(right.subresource);
  if (!right.api_group.empty()) name.append(".").append(right.api_group);
  return name;
}

}  // namespace

std::vector<std::string> FindShortfalls(ClusterApi& api, const run::Patience& patience) {
  std::vector<std::string> missing;
  for (const Right& right : kNeeded) {
    const Result<bool> may = api.May(right, patience);
    // One that does not answer would not answer the other questions either.
    if (!may) return {may.error().message};
    if (!*may) missing.push_back(Name(right));
  }
  const RunId nobody(RandomId());
  const auto made = api.TryCreate(kNetworkPolicies, NetworkPolicyBody(nobody, {}), patience);
  if (!made) missing.push_back(made.error().message);
  return missing;
}

}  // namespace tidewaiter::kubernetes
