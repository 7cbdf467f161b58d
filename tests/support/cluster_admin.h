// The lab's cluster as its administrator sees it: behind every broker's back, by the lab's kubectl.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/support/lab.h"
#include "tests/support/program.h"

namespace tidewaiter::testing {

class ClusterAdmin {
 public:
  explicit ClusterAdmin(KubernetesLab lab) : lab_(std::move(lab)) {}

  // What kubectl says with these words and, where it reads one, this stdin.
  [[nodiscard]] Program::Ended Try(std::vector<std::string> words,
                                   const std::string& input = "") const;
  // The same's stdout. A test assertion fails where kubectl does.
  std::string Ask(std::vector<std::string> words, const std::string& input = "") const;

  // Jobs, pods, network policies and secrets of all namespaces that carry this broker's id, as
  // "job.batch/NAME". A cluster that does not answer is one entry that says so.
  [[nodiscard]] std::vector<std::string> Leftovers(const std::string& broker_id) const;

 private:
  const KubernetesLab lab_;
};

// A namespace of one test's own, in which the lab's broker has the rights that deploy/kubernetes
// gives it, and what ResourceQuota `hard` ("count/jobs.batch: \"0\"") leaves. Goes with the object,
// which does not wait for that.
class ClusterNamespace {
 public:
  ClusterNamespace(const ClusterAdmin& admin, const std::string& hard);
  ~ClusterNamespace();
  ClusterNamespace(const ClusterNamespace&) = delete;
  ClusterNamespace& operator=(const ClusterNamespace&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  const ClusterAdmin& admin_;
  const std::string name_;
};

}  // namespace tidewaiter::testing
