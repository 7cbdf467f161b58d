// A run's Job and its pod as run::Container.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "broker/kubernetes/cluster_api.h"
#include "broker/kubernetes/output_fetch.h"
#include "broker/kubernetes/run_watcher.h"
#include "broker/kubernetes/settings.h"
#include "broker/run/backend.h"

namespace tidewaiter::kubernetes {

class JobContainer final : public run::Container {
 public:
  struct Cluster {
    ClusterApi& api;
    RunWatcher& watcher;
    const KubernetesSettings& settings;
    io::EventLoop& steps;  // for LogFollower
  };
  struct Job {
    RunId run_id;
    std::string name;
    std::string uid;  // which is the id()
  };
  // What is referred to must outlive it.
  JobContainer(const Cluster& cluster, Job job, std::unique_ptr<RunWatcher::Tracked> tracked);

  [[nodiscard]] const std::string& id() const override { return job_.uid; }
  // stdout and stderr come as one, as stdout: the cluster keeps them so.
  Result<std::unique_ptr<run::Attachment>> Attach(run::OutputSink& sink, bool with_stdin,
                                                  const run::Patience& patience) override;
  // Lets the Job make its pod, and waits until the container has started. Errors: UNSCHEDULABLE and
  // IMAGE_UNAVAILABLE after their bounded times, CONTAINER_CONFIG, QUOTA_EXCEEDED and POD_REFUSED
  // (the cluster makes no pod), and those of Tracked::exited.
  Result<void> Start(const run::Patience& patience) override;
  Completion<run::ContainerExit>& exited() override { return tracked_->exited(); }
  [[nodiscard]] std::optional<run::Resource> Runner() override;
  // SIGTERM takes the Job's parallelism back, whose pod the kubelet then ends: SIGTERM, and SIGKILL
  // after the grace. SIGKILL shortens that grace to a second; nothing would be known of a pod that
  // is deleted without one.
  Result<bool> Signal(int signal_number, const run::Patience& patience) override;
  bool EndIsWithheld(const run::Patience&) override { return false; }
  bool StreamsCutOff() override { return false; }
  [[nodiscard]] bool FollowsLog() const override { return true; }
  std::unique_ptr<run::Attachment> FollowLog(const run::LogPosition& position,
                                             run::OutputSink& sink) override;
  Result<run::Omissions> FetchOutput(const run::OutputRequest& request,
                                     const run::ArchiveWriter& write,
                                     const run::Patience& patience) override {
    return kubernetes::FetchOutput(cluster_.api, *tracked_, request, write, patience);
  }

 private:
  // Why the Job has no pod, where the cluster has told by an event.
  Result<void> CheckEvents(const run::Patience& patience);
  Result<void> KillPod(const run::Patience& patience);

  const Cluster cluster_;
  const Job job_;
  const std::unique_ptr<RunWatcher::Tracked> tracked_;
};

}  // namespace tidewaiter::kubernetes
