#include "broker/kubernetes/kubeconfig.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"
#include "broker/kubernetes/kubeconfig_entries.h"
#include "broker/kubernetes/server_url.h"
#include "broker/kubernetes/tls_check.h"
#include "broker/kubernetes/token_source.h"
#include "broker/kubernetes/yaml.h"

namespace tidewaiter::kubernetes {
namespace {

Result<std::string> ReadPem(const PemSource& source, FileKind kind, const FileReader& read) {
  if (source.file.empty()) return source.text;
  Result<std::string> text = read(source.file, kind);
  if (!text) return text;
  if (text->empty()) return KubeconfigFault(Quoted(source.file) + ": the file is empty");
  return text;
}

// A name in URLs (RFC 1123 label).
bool IsNamespace(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 63 && plain(name.front()) && plain(name.back()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '-'; });
}

Result<io::TlsIdentity> ReadTls(const KubeconfigEntries& entries, const FileReader& read) {
  io::TlsIdentity tls;
  tls.verify = !entries.skip_verification;
  tls.server_name = entries.server_name;
  TW_ASSIGN(tls.ca_certificates, ReadPem(entries.certificate_authority, FileKind::kPublic, read));
  TW_ASSIGN(tls.certificate, ReadPem(entries.client_certificate, FileKind::kPublic, read));
  TW_ASSIGN(tls.key, ReadPem(entries.client_key, FileKind::kSecret, read));
  TW_TRY(CheckTlsIdentity(tls));
  return tls;
}

// Of both, the file wins (clientcmd/api/v1 says so of its last reading). It is read once to know
// now what would be known at the first request.
Result<void> ReadToken(const KubeconfigEntries& entries, const FileReader& read,
                       ClusterAccess& access) {
  const auto of_user = [&](const Error& error) {
    return error.Within("user " + Quoted(entries.user_name, 60));
  };
  if (!entries.token_file.empty()) {
    TW_ASSIGN(const std::string text, read(entries.token_file, FileKind::kSecret));
    if (const Result<std::string> token = CheckToken(text); !token) return of_user(token.error());
    access.token_file = entries.token_file;
    return Ok();
  }
  if (entries.token.empty()) return Ok();
  Result<std::string> token = CheckToken(entries.token);
  if (!token) return of_user(token.error());
  access.token = *std::move(token);
  return Ok();
}

}  // namespace

Result<ClusterAccess> ParseKubeconfig(std::string_view yaml, std::string_view context,
                                      const FileReader& read) {
  TW_ASSIGN(const KubeconfigEntries entries, ReadKubeconfigEntries(yaml, context));
  ClusterAccess access;
  TW_ASSIGN(access.server, ReadServerUrl(entries.server));
  TW_ASSIGN(access.tls, ReadTls(entries, read));
  TW_TRY(ReadToken(entries, read, access));
  if (!entries.name_space.empty() && !IsNamespace(entries.name_space)) {
    return KubeconfigFault("namespace: " + Quoted(entries.name_space, 80) + ": no name of one");
  }
  access.name_space = entries.name_space;
  return access;
}

Result<ClusterAccess> LoadKubeconfig(const KubeconfigQuery& query) {
  if (!query.path.starts_with('/')) {
    return KubeconfigFault(Quoted(query.path) + ": an absolute path is expected");
  }
  const std::string folder = query.path.substr(0, query.path.rfind('/') + 1);
  const auto absolute = [&](const std::string& path) {
    return path.starts_with('/') ? path : folder + path;
  };
  std::vector<std::string> files;
  const FileReader read = [&](const std::string& path, FileKind kind) {
    files.push_back(absolute(path));
    return ReadCredentialFile(files.back(), kind, kMaxYamlBytes);
  };
  TW_ASSIGN(const std::string yaml, read(query.path, FileKind::kSecret));
  Result<ClusterAccess> access = ParseKubeconfig(yaml, query.context, read);
  if (!access) return access.error().Within(Quoted(query.path));
  if (!access->token_file.empty()) access->token_file = absolute(access->token_file);
  access->files = std::move(files);
  return access;
}

Result<void> CheckProduction(const ClusterAccess& access) {
  const auto insecure = [&](const std::string& why) {
    return Fail(ErrorCode::kInvalidArgument,
                "use cluster " + Quoted(access.server) + " in production: " + why,
                "CLUSTER_INSECURE");
  };
  if (access.plain_http()) return insecure("not without TLS; give its https:// address");
  if (!access.tls.verify) {
    return insecure("not with insecure-skip-tls-verify; give its certificate-authority");
  }
  return Ok();
}

}  // namespace tidewaiter::kubernetes
