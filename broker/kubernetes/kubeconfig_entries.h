// The entries of a kubeconfig that one context names, as they are written: which cluster, which
// user and what they say, typed and checked for what is not supported. No file is read here. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::kubernetes {

// A PEM text: given in the kubeconfig (decoded), or in a file. The text wins, as in client-go.
struct PemSource {
  std::string text;
  std::string file;
};

struct KubeconfigEntries {
  std::string cluster_name;
  std::string server;
  std::string server_name;  // tls-server-name
  bool skip_verification = false;
  PemSource certificate_authority;

  std::string user_name;  // "": the context names no user
  PemSource client_certificate;
  PemSource client_key;
  std::string token;
  std::string token_file;

  std::string name_space;
};

// Those of `context`, or of current-context where it is empty. Errors: INVALID_ARGUMENT
// (KUBECONFIG_INVALID, KUBECONFIG_UNSUPPORTED), NOT_FOUND (KUBECONFIG_INVALID) where a context,
// cluster or user is not there, with the names of those that are.
Result<KubeconfigEntries> ReadKubeconfigEntries(std::string_view yaml, std::string_view context);

// An error of a kubeconfig, with the reason KUBECONFIG_INVALID.
Error KubeconfigFault(const std::string& what, ErrorCode code = ErrorCode::kInvalidArgument);

}  // namespace tidewaiter::kubernetes
