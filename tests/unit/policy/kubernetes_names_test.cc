#include "policy/kubernetes_names.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidewaiter::policy {
namespace {

const std::string kLongName(63, 'a');
const std::string kLongPrefix = std::string(249, 'p') + ".com";

TEST(KubernetesNames, QualifiedNamesAreThoseOfTheApi) {
  for (const std::string& name :
       std::vector<std::string>{"a", "7", "team", "Team_1.x-y", "example.com/team", "a.b-c.d/X",
                                "1/1", kLongName, kLongPrefix + "/" + kLongName}) {
    EXPECT_TRUE(IsQualifiedName(name)) << name;
  }
  for (const std::string& name : std::vector<std::string>{"",
                                                          "/",
                                                          "a/",
                                                          "/a",
                                                          "a/b/c",
                                                          "-a",
                                                          "a-",
                                                          ".a",
                                                          "a_",
                                                          "a b",
                                                          "ä",
                                                          "a:b",
                                                          "Team.com/x",
                                                          "a..b/x",
                                                          ".a/x",
                                                          "a./x",
                                                          "-a/x",
                                                          "a-/x",
                                                          "a_b/x",
                                                          kLongName + "a",
                                                          "p" + kLongPrefix + "/x"}) {
    EXPECT_FALSE(IsQualifiedName(name)) << name;
  }
}

TEST(KubernetesNames, ItsOwnLabelsAreUnderItsDomainsAndTheJobControllers) {
  for (const std::string& name :
       std::vector<std::string>{"kubernetes.io/arch", "k8s.io/x", "app.kubernetes.io/name",
                                "a.b.k8s.io/x", "job-name", "controller-uid"}) {
    EXPECT_TRUE(IsKubernetesLabel(name)) << name;
  }
  for (const std::string& name :
       std::vector<std::string>{"kubernetes.io", "notkubernetes.io/x", "kubernetes.io.example/x",
                                "example.com/k8s.io", "job-names", "example.com/job-name", "x"}) {
    EXPECT_FALSE(IsKubernetesLabel(name)) << name;
  }
}

TEST(KubernetesNames, VariablesAreThoseThatEveryClusterTakes) {
  for (const std::string& name :
       std::vector<std::string>{"A", "_", "a1", "my.env-NAME", ".a", "-", "a.."}) {
    EXPECT_TRUE(IsVariableName(name)) << name;
  }
  for (const std::string& name :
       std::vector<std::string>{"", "1A", ".", "..", "..a", "A B", "ä", "A/B", "A%", "A\t"}) {
    EXPECT_FALSE(IsVariableName(name)) << name;
  }
}

}  // namespace
}  // namespace tidewaiter::policy
