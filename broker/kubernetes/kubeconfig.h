// How a cluster is reached and who the broker is there: one context of a kubeconfig file, as
// kubectl has it. The format is that of client-go, tools/clientcmd/api/v1/types.go (Config), and
// the rules are those of tools/clientcmd/client_config.go and loader.go, but for what would start a
// program (exec, auth-provider) or is not done here (proxies, impersonation, passwords): that is an
// error and is never passed over. A fault has reason KUBECONFIG_INVALID, what is not supported
// KUBECONFIG_UNSUPPORTED; no error shows a secret. Any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/io/tls_identity.h"
#include "broker/kubernetes/credential_file.h"

namespace tidewaiter::kubernetes {

// What one context of a kubeconfig says, files read or named. Holds secrets: never print it.
struct ClusterAccess {
  std::string server;      // "https://HOST[:PORT][/PREFIX]" without a trailing slash
  io::TlsIdentity tls;     // verify = !insecure-skip-tls-verify
  std::string token;       // a fixed bearer token; or
  std::string token_file;  // absolute; read again (token_source.h). Neither: no token
  std::string name_space;  // the context's; "" where it has none
  // All files that were read for it, absolute: for who judges their owners.
  std::vector<std::string> files;

  [[nodiscard]] bool plain_http() const { return server.starts_with("http://"); }
  friend bool operator==(const ClusterAccess&, const ClusterAccess&) = default;
};

struct KubeconfigQuery {
  std::string path;     // absolute
  std::string context;  // "": the file's current-context
};

// Gives the contents of a file that the kubeconfig names, as it names it.
using FileReader = std::function<Result<std::string>(const std::string& path, FileKind kind)>;

// Reads the file and those that it names; relative paths are relative to its folder. Errors: those
// above; PERMISSION_DENIED where others may read or change the file, a key or a token, or change a
// certificate (credential_file.h).
Result<ClusterAccess> LoadKubeconfig(const KubeconfigQuery& query);

// Pure but for `read`. token_file stays as it is written, and `files` empty. A context that is not
// asked for is not looked at.
Result<ClusterAccess> ParseKubeconfig(std::string_view yaml, std::string_view context,
                                      const FileReader& read);

// Where a pod finds the API server and its ServiceAccount ("Accessing the Kubernetes API from a
// Pod" in Kubernetes' documentation).
struct PodSurroundings {
  std::string host;  // KUBERNETES_SERVICE_HOST: a name or an address
  std::string port;  // KUBERNETES_SERVICE_PORT
  std::string folder = "/var/run/secrets/kubernetes.io/serviceaccount";

  static PodSurroundings FromEnvironment();
};

// The folder's token (named, not read), ca.crt and, if there, namespace. Errors: NOT_FOUND
// (NOT_IN_CLUSTER) where there is no host or port; the files' own.
Result<ClusterAccess> InClusterAccess(
    const PodSurroundings& pod = PodSurroundings::FromEnvironment());

// In production nobody is believed who cannot prove who he is, and no token goes over the wire for
// all to read. Errors: INVALID_ARGUMENT (CLUSTER_INSECURE).
Result<void> CheckProduction(const ClusterAccess& access);

}  // namespace tidewaiter::kubernetes
