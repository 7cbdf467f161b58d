// The port run::Backend on one Kubernetes cluster: each run is a Job. Thread-safe; every call
// blocks its own thread. Eight requests make a run without files: create and read the network
// policy, create the Job, make it the policy's owner, start it, follow its log, delete the Job,
// delete the policy; everything else comes by the two watches that all runs share. Inputs take one
// more for each Secret and one to see that all are gone, each output and stdin take one. Never
// removes by a label query.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/io/event_loop.h"
#include "broker/io/http_client.h"
#include "broker/kubernetes/kubeconfig.h"
#include "broker/kubernetes/settings.h"
#include "broker/run/backend.h"
#include "policy/kubernetes_support.h"

namespace tidewaiter::kubernetes {

class KubernetesBackend final : public run::Backend {
 public:
  // The cluster need not be there yet. `http` and `steps`, which is another loop than its own, must
  // outlive it, and it every Container.
  KubernetesBackend(io::HttpClient& http, io::EventLoop& steps, ClusterAccess access,
                    KubernetesSettings settings, policy::KubernetesTarget target);
  ~KubernetesBackend() override;
  KubernetesBackend(const KubernetesBackend&) = delete;
  KubernetesBackend& operator=(const KubernetesBackend&) = delete;

  [[nodiscard]] std::string_view name() const override { return "kubernetes"; }
  [[nodiscard]] std::vector<policy::Violation> Unsupported(
      const policy::EffectiveRun& effective) const override;
  [[nodiscard]] run::FileCarriage Carriage() const override;
  // Asks the registry alone; nodes pull by themselves. `image_id` stays empty.
  Result<run::ResolvedImage> Resolve(const policy::AdmittedRun& admitted,
                                     run::ImageProgressSink& progress,
                                     const run::Patience& patience) override;
  [[nodiscard]] std::vector<run::Resource> Plan(const policy::AdmittedRun& admitted,
                                                const RunId& run_id) const override;
  // Calls that create something are waited for even where `patience.stop` is stopped meanwhile (at
  // most settings.call_timeout). Errors besides those of StatusError: CLUSTER_VERSION,
  // INPUT_TOO_LARGE.
  Result<std::unique_ptr<run::Container>> Create(const Creation& creation,
                                                 std::vector<run::Resource>& resources,
                                                 const run::Patience& patience) override;
  Result<run::Adopted> Adopt(const Former& former, const RunId& run_id,
                             const run::Patience& patience) override;
  run::Removal Remove(const run::Resource& resource, const RunId& run_id,
                      Deadline deadline) override;
  void ExpectLate(const run::Resource& resource, std::chrono::milliseconds elapsed) override;
  Result<std::vector<Owned>> ListOwned(const run::Patience& patience) override;
  Result<std::vector<Labelled>> ListLabelled(Deadline deadline) override;
  Result<std::string> Describe(Deadline deadline) override;
  std::vector<std::string> Shortfalls(Deadline deadline) override;
  [[nodiscard]] std::vector<policy::Enforcement> Notes(
      const policy::EffectiveRun& effective) const override;

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace tidewaiter::kubernetes
