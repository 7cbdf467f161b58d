#include "broker/kubernetes/kubeconfig_entries.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "base/base64.h"
#include "base/printable.h"
#include "broker/kubernetes/yaml.h"

namespace tidewaiter::kubernetes {
namespace {

constexpr std::size_t kMaxNamesInErrors = 10;

struct Unsupported {
  std::string_view field;
  std::string_view instead;  // the end of the error's sentence
};

constexpr std::string_view kInsteadOfPrograms =
    "the broker starts no programs; use a token, a tokenFile or a client certificate, such as "
    "those of a ServiceAccount";
constexpr std::string_view kNoImpersonation =
    "impersonation is not supported; use the credentials of the one who is meant";

constexpr std::array kUnsupportedOfUser{
    Unsupported{"exec", kInsteadOfPrograms},
    Unsupported{"auth-provider", kInsteadOfPrograms},
    Unsupported{"username", "Kubernetes takes no passwords any more; use a token"},
    Unsupported{"password", "Kubernetes takes no passwords any more; use a token"},
    Unsupported{"as", kNoImpersonation},
    Unsupported{"as-uid", kNoImpersonation},
    Unsupported{"as-groups", kNoImpersonation},
    Unsupported{"as-user-extra", kNoImpersonation},
};
constexpr std::array kUnsupportedOfCluster{
    Unsupported{"proxy-url", "proxies are not supported; give the server's own address"},
};

// What else the entries may have. A field that nobody knows is an error here, and not passed over:
// it could be one that makes the connection safer, or a misspelt "tokenFile".
constexpr std::array<std::string_view, 7> kFieldsOfCluster{
    "server",     "tls-server-name",     "insecure-skip-tls-verify",  "certificate-authority",
    "extensions", "disable-compression", "certificate-authority-data"};
constexpr std::array<std::string_view, 7> kFieldsOfUser{"client-certificate",
                                                        "client-certificate-data",
                                                        "client-key",
                                                        "client-key-data",
                                                        "token",
                                                        "tokenFile",
                                                        "extensions"};
constexpr std::array<std::string_view, 4> kFieldsOfContext{"cluster", "user", "namespace",
                                                           "extensions"};

std::string At(const YamlNode& node) {
  return std::to_string(node.line) + ":" + std::to_string(node.column) + ": ";
}

bool IsEmpty(const YamlNode& node) {
  return node.kind == YamlNode::Kind::kNull ||
         (node.kind == YamlNode::Kind::kText ? node.text.empty() : node.items.empty());
}

// One map of the file, and how errors name it: "user 'admin'", or "" for the file itself.
struct Entry {
  const YamlNode& node;
  std::string what;

  [[nodiscard]] Error Fault(const YamlNode& at, std::string_view field,
                            const std::string& why) const {
    return KubeconfigFault(At(at) + (what.empty() ? "" : what + ": ") + std::string(field) + ": " +
                           why);
  }

  // Its text, "" where there is none.
  [[nodiscard]] Result<std::string> Text(std::string_view field) const {
    const YamlNode* const value = node.Find(field);
    if (value == nullptr || value->kind == YamlNode::Kind::kNull) return std::string();
    if (value->kind != YamlNode::Kind::kText) return Fault(*value, field, "a text is expected");
    return value->text;
  }

  [[nodiscard]] Result<bool> Boolean(std::string_view field) const {
    const YamlNode* const value = node.Find(field);
    if (value == nullptr || value->kind == YamlNode::Kind::kNull) return false;
    if (value->kind == YamlNode::Kind::kText && value->plain) {
      if (value->text == "true") return true;
      if (value->text == "false") return false;
    }
    return Fault(*value, field, "true or false is expected");
  }

  [[nodiscard]] Result<PemSource> Pem(const std::string& field) const {
    PemSource source;
    TW_ASSIGN(source.file, Text(field));
    TW_ASSIGN(std::string encoded, Text(field + "-data"));
    if (encoded.empty()) return source;
    // As Go's decoder does, in which line ends have no meaning.
    std::erase_if(encoded, [](char c) { return c == '\n' || c == '\r'; });
    const std::optional<std::string> text = DecodeBase64(encoded);
    if (!text || text->empty()) {
      return Fault(*node.Find(field + "-data"), field + "-data",
                   "no base64, or more than 64 KiB of it");
    }
    source.text = *text;
    source.file.clear();
    return source;
  }

  // That it has nothing but what is known and supported.
  [[nodiscard]] Result<void> Check(std::span<const std::string_view> known,
                                   std::span<const Unsupported> unsupported) const {
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const std::string& key = node.keys[i];
      const auto found = std::find_if(unsupported.begin(), unsupported.end(),
                                      [&](const Unsupported& one) { return one.field == key; });
      if (found != unsupported.end()) {
        if (IsEmpty(node.items[i])) continue;
        Error error = Fault(node.items[i], key, std::string(found->instead));
        error.reason = "KUBECONFIG_UNSUPPORTED";
        return error;
      }
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        return Fault(node.items[i], Quoted(key, 40), "no such field is known");
      }
    }
    return Ok();
  }
};

std::string NamesOf(const std::set<std::string>& names) {
  if (names.empty()) return "there is none";
  std::string text = "there are ";
  std::size_t count = 0;
  for (const std::string& name : names) {
    if (count == kMaxNamesInErrors) return text + " and others";
    text += (count++ == 0 ? "" : ", ") + Quoted(name, 60);
  }
  return text;
}

// The entry of that name in `list` ("clusters"), a list of {name, SINGULAR: {...}}.
Result<Entry> FindEntry(const Entry& file, std::string_view list, const std::string& singular,
                        const std::string& name) {
  const YamlNode none;
  const YamlNode* const entries = file.node.Find(list);
  if (entries != nullptr && entries->kind != YamlNode::Kind::kList &&
      entries->kind != YamlNode::Kind::kNull) {
    return file.Fault(*entries, list, "a list is expected");
  }
  std::set<std::string> names;
  const YamlNode* found = nullptr;
  for (const YamlNode& item : entries == nullptr ? none.items : entries->items) {
    TW_ASSIGN(const std::string its_name, (Entry{item, std::string(list)}.Text("name")));
    // client-go refuses these too (api/v1/conversion.go).
    if (!names.insert(its_name).second) {
      return file.Fault(item, list, "the name " + Quoted(its_name, 60) + " a second time");
    }
    if (its_name == name) found = &item;
  }
  const std::string what = singular + " " + Quoted(name, 60);
  if (found == nullptr) {
    return KubeconfigFault(
        "find " + what + ": it is not in " + std::string(list) + "; " + NamesOf(names),
        ErrorCode::kNotFound);
  }
  const YamlNode* const body = found->Find(singular);
  if (body == nullptr || body->kind != YamlNode::Kind::kMap) {
    return file.Fault(*found, what, "'" + singular + "' with its fields is expected");
  }
  return Entry{*body, what};
}

Result<void> CheckKind(const Entry& file) {
  for (const auto& [field, expected] : {std::pair{"kind", "Config"}, {"apiVersion", "v1"}}) {
    TW_ASSIGN(const std::string value, file.Text(field));
    if (!value.empty() && value != expected) {
      return file.Fault(*file.node.Find(field), field,
                        std::string("'") + expected + "' is expected, not " + Quoted(value, 40));
    }
  }
  return Ok();
}

Result<void> ReadCluster(const Entry& cluster, KubeconfigEntries& entries) {
  TW_TRY(cluster.Check(kFieldsOfCluster, kUnsupportedOfCluster));
  TW_ASSIGN(entries.server, cluster.Text("server"));
  if (entries.server.empty()) return cluster.Fault(cluster.node, "server", "it has none");
  TW_ASSIGN(entries.server_name, cluster.Text("tls-server-name"));
  TW_ASSIGN(entries.skip_verification, cluster.Boolean("insecure-skip-tls-verify"));
  TW_ASSIGN(entries.certificate_authority, cluster.Pem("certificate-authority"));
  return Ok();
}

Result<void> ReadUser(const Entry& user, KubeconfigEntries& entries) {
  TW_TRY(user.Check(kFieldsOfUser, kUnsupportedOfUser));
  TW_ASSIGN(entries.client_certificate, user.Pem("client-certificate"));
  TW_ASSIGN(entries.client_key, user.Pem("client-key"));
  TW_ASSIGN(entries.token, user.Text("token"));
  TW_ASSIGN(entries.token_file, user.Text("tokenFile"));
  return Ok();
}

}  // namespace

Error KubeconfigFault(const std::string& what, ErrorCode code) {
  return Fail(code, "read kubeconfig: " + what, "KUBECONFIG_INVALID");
}

Result<KubeconfigEntries> ReadKubeconfigEntries(std::string_view yaml, std::string_view context) {
  const Result<YamlNode> document = ParseYaml(yaml);
  if (!document) return KubeconfigFault(document.error().message, document.error().code);
  if (document->kind != YamlNode::Kind::kMap) return KubeconfigFault("it is no map of fields");
  const Entry file{*document, ""};
  TW_TRY(CheckKind(file));

  std::string name(context);
  if (name.empty()) {
    TW_ASSIGN(name, file.Text("current-context"));
  }
  if (name.empty())
    return KubeconfigFault("it has no current-context, and no context is asked for");
  TW_ASSIGN(const Entry chosen, FindEntry(file, "contexts", "context", name));
  TW_TRY(chosen.Check(kFieldsOfContext, {}));

  KubeconfigEntries entries;
  TW_ASSIGN(entries.name_space, chosen.Text("namespace"));
  TW_ASSIGN(entries.cluster_name, chosen.Text("cluster"));
  TW_ASSIGN(entries.user_name, chosen.Text("user"));
  TW_ASSIGN(const Entry cluster, FindEntry(file, "clusters", "cluster", entries.cluster_name));
  TW_TRY(ReadCluster(cluster, entries));
  if (entries.user_name.empty()) return entries;
  TW_ASSIGN(const Entry user, FindEntry(file, "users", "user", entries.user_name));
  TW_TRY(ReadUser(user, entries));
  return entries;
}

}  // namespace tidewaiter::kubernetes
