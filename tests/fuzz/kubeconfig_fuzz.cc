// A kubeconfig: what is taken of one can go into URLs and headers, and no error forges a line of a
// log. The files that it names contain their names.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>

#include "base/printable.h"
#include "broker/kubernetes/kubeconfig.h"
#include "broker/kubernetes/token_source.h"
#include "broker/kubernetes/yaml.h"

namespace {

using tidewaiter::kubernetes::ClusterAccess;
using tidewaiter::kubernetes::FileKind;
using tidewaiter::kubernetes::YamlNode;

void Check(bool holds) {
  if (!holds) std::abort();
}

void CheckNode(const YamlNode& node, int depth) {
  Check(depth <= tidewaiter::kubernetes::kMaxYamlDepth);
  const bool map = node.kind == YamlNode::Kind::kMap;
  Check(node.keys.size() == (map ? node.items.size() : 0));
  Check(std::set<std::string_view>(node.keys.begin(), node.keys.end()).size() == node.keys.size());
  for (const YamlNode& item : node.items) CheckNode(item, depth + 1);
}

void CheckError(const tidewaiter::Error& error) {
  Check(!error.message.empty() && !tidewaiter::HasControl(error.message));
}

void CheckAccess(const ClusterAccess& access) {
  Check(access.plain_http() || access.server.starts_with("https://"));
  Check(!access.server.ends_with('/') &&
        access.server.find_first_of(" ?#@\\") == std::string::npos);
  Check(!tidewaiter::HasControl(access.server) && !tidewaiter::HasControl(access.name_space));
  Check(access.token.empty() || access.token_file.empty());
  Check(access.token.empty() || *tidewaiter::kubernetes::CheckToken(access.token) == access.token);
  Check(access.tls.certificate.empty() == access.tls.key.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The text of bytes is what a char is for.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto document = tidewaiter::kubernetes::ParseYaml(text)) {
    CheckNode(*document, 0);
  } else {
    CheckError(document.error());
  }
  const auto access = tidewaiter::kubernetes::ParseKubeconfig(
      text, "",
      [](const std::string& path, FileKind) -> tidewaiter::Result<std::string> { return path; });
  if (access) {
    CheckAccess(*access);
  } else {
    CheckError(access.error());
  }
  return 0;
}
