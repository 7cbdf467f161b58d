#include "tests/support/cluster_admin.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>

#include "base/strong_id.h"
#include "tests/support/eventually.h"
#include "tests/support/project_file.h"

namespace tidewaiter::testing {
namespace {

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// The broker's Role and its binding as they are deployed, for another namespace; the account that
// they are for stays where it is.
std::string RoleIn(const std::string& name_space) {
  std::ostringstream text;
  text << std::ifstream(ProjectFile("deploy/kubernetes/role.yaml")).rdbuf();
  return Replaced(text.str(), "\n  namespace: tidewaiter\n", "\n  namespace: " + name_space + "\n");
}

}  // namespace

Program::Ended ClusterAdmin::Try(std::vector<std::string> words, const std::string& input) const {
  words.insert(words.begin(), {"--kubeconfig", lab_.admin_kubeconfig, "--request-timeout", "20s"});
  Program kubectl(lab_.kubectl, std::move(words));
  if (!input.empty()) kubectl.Feed(input);
  return kubectl.Wait();
}

std::string ClusterAdmin::Ask(std::vector<std::string> words, const std::string& input) const {
  const std::string said = ::testing::PrintToString(words);
  const Program::Ended ended = Try(std::move(words), input);
  EXPECT_EQ(ended.status, 0) << "kubectl " << said << ": " << ended.err;
  return ended.out;
}

std::vector<std::string> ClusterAdmin::Leftovers(const std::string& broker_id) const {
  const Program::Ended ended =
      Try({"get", "jobs,pods,networkpolicies,secrets", "--all-namespaces", "--selector",
           "io.tidewaiter.broker=" + broker_id, "--output", "name"});
  if (broker_id.empty() || ended.status != 0) {
    return {"no answer about broker '" + broker_id + "': " + ended.err};
  }
  std::vector<std::string> names;
  std::istringstream lines(ended.out);
  for (std::string line; std::getline(lines, line);) names.push_back(line);
  return names;
}

ClusterNamespace::ClusterNamespace(const ClusterAdmin& admin, const std::string& hard)
    : admin_(admin), name_("tidewaiter-test-" + RandomId()) {
  admin_.Ask({"create", "namespace", name_});
  admin_.Ask({"apply", "--filename", "-"}, RoleIn(name_));
  admin_.Ask({"apply", "--filename", "-"},
             "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: runs, namespace: " + name_ +
                 "}\nspec: {hard: {" + hard + "}}\n");
  // Controllers count what the quota is of, and make the account without which there is no pod.
  EXPECT_TRUE(Eventually(std::chrono::seconds(20), [&] {
    const auto has = [&](const std::string& kind, const std::string& name, const char* field) {
      const auto found = admin_.Try({"--namespace", name_, "get", kind, name, "--output",
                                     std::string("jsonpath={") + field + "}"});
      return found.status == 0 && !found.out.empty();
    };
    return has("resourcequota", "runs", ".status.hard") &&
           has("serviceaccount", "default", ".secrets");
  })) << name_;
}

ClusterNamespace::~ClusterNamespace() {
  admin_.Ask({"delete", "namespace", name_, "--wait=false"});
}

}  // namespace tidewaiter::testing
