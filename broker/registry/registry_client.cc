#include "broker/registry/registry_client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/printable.h"
#include "broker/io/url.h"
#include "broker/json/json.h"

namespace tidewaiter::registry {
namespace {

constexpr std::string_view kManifestTypes =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::size_t kMaxToken = std::size_t{16} << 10U;

Error Unavailable(const std::string& subject, const std::string& why) {
  return Fail(ErrorCode::kUnavailable, subject + ": " + why, "REGISTRY_UNAVAILABLE");
}

bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "-._~+/=";
  return !text.empty() && text.size() <= kMaxToken &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  kMarks.find(c) != std::string_view::npos;
         });
}

// The HOST[:PORT] of an http(s) URL without user information; "" where it is none.
std::string_view AuthorityOf(std::string_view url) {
  const std::size_t start = url.find("://");
  if (start == std::string_view::npos) return {};
  url.remove_prefix(start + 3);
  const std::string_view authority = url.substr(0, url.find_first_of("/?#"));
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
  return authority.find_first_not_of(kAllowed) == std::string_view::npos ? authority
                                                                         : std::string_view();
}

bool IsPrintableAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string BasicHeader(const Credentials& credentials) {
  return "Basic " + EncodeBase64(credentials.username + ":" + credentials.password);
}

// What was refused, and which of the operator's files would change that.
std::string Refusal(long status, bool with_credentials) {
  return "refuses access (" + std::to_string(status) + ") " +
         (with_credentials
              ? "with the credentials that [registry] auth_file has for this registry"
              : "without credentials; [registry] auth_file has none for this registry");
}

std::string Scope(const policy::ImageReference& image) {
  return "repository:" + image.repository + ":pull";
}

}  // namespace

bool IsLoopback(std::string_view authority) noexcept {
  std::string_view host = authority;
  if (host.starts_with('[')) return host == "[::1]" || host.starts_with("[::1]:");
  host = host.substr(0, host.find(':'));
  if (host == "localhost") return true;
  // Digits and dots only: "127.0.0.1.example.org" is somewhere else.
  return host.starts_with("127.") && std::count(host.begin(), host.end(), '.') == 3 &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool RegistryClient::MayUsePlainHttp(std::string_view authority) const {
  return IsLoopback(authority) && settings_.plain_http.contains(std::string(authority));
}

Result<io::HttpResponse> RegistryClient::Fetch(const io::HttpRequest& request,
                                               const std::string& subject,
                                               const run::Patience& patience) {
  const Deadline budget = patience.deadline.Sooner(Deadline::After(settings_.call_timeout));
  Result<io::HttpResponse> answer = http_.Fetch(request, patience.stop, budget);
  if (answer) return answer;
  const Error& cause = answer.error();
  if (cause.code == ErrorCode::kCancelled || patience.deadline.Passed()) {
    return cause.Within(subject);
  }
  if (cause.Reason() != "TLS_UNTRUSTED") return Unavailable(subject, cause.message);
  return Unavailable(
      subject, cause.message + (settings_.ca_certificates.empty()
                                    ? "; only the system's CAs are trusted, as no [registry] "
                                      "ca_file names another"
                                    : "; only the system's CAs and those of [registry] ca_file "
                                      "are trusted"));
}

Result<io::HttpResponse> RegistryClient::Manifest(const std::string& method,
                                                  const policy::ImageReference& image,
                                                  std::string_view which,
                                                  const run::Patience& patience) {
  const std::string subject =
      "ask registry " + Quoted(image.registry) + " about " + Quoted(image.repository);
  const std::string host = image.registry == "docker.io" ? "registry-1.docker.io" : image.registry;
  io::HttpRequest request;
  request.method = method;
  request.url = (MayUsePlainHttp(host) ? "http://" : "https://") + host + "/v2/" +
                image.repository + "/manifests/" + std::string(which);
  request.headers.emplace_back("Accept", kManifestTypes);
  request.ca_certificates = settings_.ca_certificates;
  TW_ASSIGN(io::HttpResponse answer, Fetch(request, subject, patience));
  std::optional<Credentials> credentials;
  if (answer.status == 401) {
    const auto challenge = ParseAuthChallenge(answer.Header("www-authenticate"));
    if (!challenge) return Unavailable(subject, "it asks for a login of an unknown kind");
    Result<std::optional<Credentials>> found = FindCredentials(settings_.auth_file, image.registry);
    if (!found) return found.error().Within(subject);
    credentials = *std::move(found);
    TW_ASSIGN(std::string authorization, Authorization(*challenge, credentials, image, patience));
    request.headers.emplace_back("Authorization", std::move(authorization));
    TW_ASSIGN(answer, Fetch(request, subject, patience));
  }
  switch (answer.status) {
    case 200:
    case 404: return answer;
    case 401:
    case 403: return Unavailable(subject, "it " + Refusal(answer.status, credentials.has_value()));
    default: return Unavailable(subject, "it answers " + std::to_string(answer.status));
  }
}

Result<std::string> RegistryClient::Authorization(const AuthChallenge& challenge,
                                                  const std::optional<Credentials>& credentials,
                                                  const policy::ImageReference& image,
                                                  const run::Patience& patience) {
  if (challenge.scheme == AuthChallenge::Scheme::kBearer) {
    return Token(challenge, credentials, image, patience);
  }
  if (!credentials || !credentials->identity_token.empty()) {
    return Unavailable("log in at registry " + Quoted(image.registry),
                       "it asks for a user and password, and [registry] auth_file has none for it");
  }
  return BasicHeader(*credentials);
}

Result<std::string> RegistryClient::Token(const AuthChallenge& challenge,
                                          const std::optional<Credentials>& credentials,
                                          const policy::ImageReference& image,
                                          const run::Patience& patience) {
  const std::string subject = "get a token for registry " + Quoted(image.registry);
  const std::string service = "its token service " + Quoted(challenge.realm, 120);
  const std::string_view authority = AuthorityOf(challenge.realm);
  const bool safe = !authority.empty() && IsPrintableAscii(challenge.realm) &&
                    challenge.realm.find('#') == std::string::npos &&
                    (challenge.realm.starts_with("https://") ||
                     (challenge.realm.starts_with("http://") && MayUsePlainHttp(authority)));
  if (!safe) {
    return Unavailable(subject, service + " is not one to send credentials to: https is needed");
  }

  // The scope is ours, never the challenge's: it could ask for more.
  const std::string query =
      "service=" + io::UrlEncode(challenge.service) + "&scope=" + io::UrlEncode(Scope(image));
  io::HttpRequest request;
  request.url = challenge.realm;
  request.ca_certificates = settings_.ca_certificates;
  if (credentials && !credentials->identity_token.empty()) {
    request.method = "POST";
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    request.body = query + "&client_id=tidewaiter&grant_type=refresh_token&refresh_token=" +
                   io::UrlEncode(credentials->identity_token);
  } else {
    request.url += (challenge.realm.find('?') == std::string::npos ? "?" : "&") + query;
    if (credentials) request.headers.emplace_back("Authorization", BasicHeader(*credentials));
  }
  TW_ASSIGN(const io::HttpResponse answer, Fetch(request, subject, patience));
  if (answer.status == 401 || answer.status == 403) {
    return Unavailable(subject, service + " " + Refusal(answer.status, credentials.has_value()));
  }
  if (answer.status != 200) {
    return Unavailable(subject, service + " answers " + std::to_string(answer.status));
  }
  const std::optional<Json> body = ParseJson(answer.body);
  std::string token = body ? TextAt(*body, "token") : std::string();
  if (token.empty() && body) token = TextAt(*body, "access_token");
  if (!IsToken(token)) return Unavailable(subject, service + " gives none");
  return "Bearer " + token;
}

}  // namespace tidewaiter::registry
