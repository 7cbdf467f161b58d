// A scripted cluster under a client, and the objects that it tells of.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "broker/kubernetes/cluster_api.h"
#include "tests/support/scripted_cluster.h"
#include "tests/unit/kubernetes/run_fixture.h"

namespace tidewaiter::kubernetes {

inline run::Patience Soon() {
  return {.stop = {}, .deadline = Deadline::After(std::chrono::seconds(20))};
}

// A Job or a pod of `run`, the Job's "j1"; `status` is JSON.
inline std::string Object(const std::string& run, const std::string& uid,
                          const std::string& version, const std::string& status = "{}") {
  return R"({"metadata":{"name":"tw-)" + run + R"(","uid":")" + uid + R"(","resourceVersion":")" +
         version +
         R"(","ownerReferences":[{"kind":"Job","uid":"j1","controller":true}],"labels":{"io.tidewaiter.broker":")" +
         kBrokerId.value() + R"(","io.tidewaiter.run":")" + run + R"("}},"status":)" + status + "}";
}

inline std::string Event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}";
}

inline std::string Ended(int code) {
  return R"({"phase":"Failed","containerStatuses":[{"name":"job","state":{"terminated":)"
         R"({"exitCode":)" +
         std::to_string(code) + "}}}]}";
}

inline constexpr const char* kGone =
    R"({"kind":"Status","status":"Failure","message":"too old resource version",)"
    R"("reason":"Expired","code":410})";

class ClusterTest : public ::testing::Test {
 protected:
  ClusterTest() {
    settings_.watch_retry_max = std::chrono::milliseconds(100);
    settings_.watch_loss_limit = std::chrono::milliseconds(400);
    settings_.call_timeout = std::chrono::seconds(5);
  }
  static ClusterAccess Access() {
    ClusterAccess access;
    access.server = "http://cluster";
    return access;
  }

  testing::ScriptedCluster cluster_;
  KubernetesSettings settings_ = TestSettings();
  // What opens sockets; nobody does in most tests.
  ClusterClient::OpenWebSocket open_socket_;
  ClusterClient client_{cluster_.http(), Access(),
                        [this](const io::HttpRequest& request, std::string_view subprotocol,
                               const std::stop_token& stop, Deadline deadline) {
                          return open_socket_(request, subprotocol, stop, deadline);
                        }};
  ClusterApi api_{client_, settings_};
};

}  // namespace tidewaiter::kubernetes
