#include <cstdlib>
#include <string>

#include "base/printable.h"
#include "broker/kubernetes/kubeconfig.h"
#include "broker/kubernetes/kubeconfig_entries.h"
#include "broker/kubernetes/server_url.h"
#include "broker/kubernetes/tls_check.h"
#include "broker/kubernetes/token_source.h"
#include "broker/kubernetes/yaml.h"

namespace tidewaiter::kubernetes {
namespace {

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets it
  return value == nullptr ? "" : value;
}

}  // namespace

PodSurroundings PodSurroundings::FromEnvironment() {
  PodSurroundings pod;
  pod.host = Environment("KUBERNETES_SERVICE_HOST");
  pod.port = Environment("KUBERNETES_SERVICE_PORT");
  return pod;
}

// The kubelet's files may be read by all in their container, but none of these changed by others.
Result<ClusterAccess> InClusterAccess(const PodSurroundings& pod) {
  if (pod.host.empty() || pod.port.empty()) {
    return Fail(ErrorCode::kNotFound,
                "find the cluster around: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are "
                "not set, as they are in a pod",
                "NOT_IN_CLUSTER");
  }
  const auto read = [&](const std::string& name, std::size_t max_bytes) {
    return ReadCredentialFile(pod.folder + "/" + name, FileKind::kPublic, max_bytes);
  };
  ClusterAccess access;
  TW_ASSIGN(access.server, ReadServerUrl("https://" + UrlHost(pod.host) + ":" + pod.port));
  TW_ASSIGN(access.tls.ca_certificates, read("ca.crt", kMaxYamlBytes));
  if (access.tls.ca_certificates.empty()) {  // which would trust the system's
    return KubeconfigFault(Quoted(pod.folder + "/ca.crt") + ": the file is empty");
  }
  TW_TRY(CheckTlsIdentity(access.tls));
  access.token_file = pod.folder + "/token";
  TW_TRY(TokenSource(access).Current());
  if (Result<std::string> name = read("namespace", 256)) {
    access.name_space = name->substr(0, name->find_last_not_of(" \r\n") + 1);
  }
  return access;
}

}  // namespace tidewaiter::kubernetes
