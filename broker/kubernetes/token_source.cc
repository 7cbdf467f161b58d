#include "broker/kubernetes/token_source.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::kubernetes {
namespace {

constexpr std::chrono::minutes kReadAgain{1};
// After a reading that failed.
constexpr std::chrono::seconds kTryAgain{10};

Error Bad(const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument, "take a bearer token: " + why, "CLUSTER_TOKEN");
}

}  // namespace

Result<std::string> CheckToken(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return Bad("it is empty");
  text = text.substr(first, text.find_last_not_of(kSpace) - first + 1);
  if (text.size() > kMaxTokenBytes) {
    return Bad("it is longer than " + std::to_string(kMaxTokenBytes) + " bytes");
  }
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    return Bad("it has characters that no token has");
  }
  return std::string(text);
}

TokenSource::TokenSource(const ClusterAccess& access, Now now)
    : file_(access.token_file), now_(std::move(now)) {
  if (file_.empty()) state_.Lock()->token = access.token;
}

// Under the lock: whoever else wants a token wants this one. The file is small and local.
Result<std::string> TokenSource::Current() {
  auto state = state_.Lock();
  if (refused_.exchange(false)) state->read_again.reset();
  if (file_.empty() || (state->read_again && now_() < *state->read_again)) return state->token;
  Result<std::string> token = Read();
  if (token) {
    state->token = *std::move(token);
    state->problem.reset();
    state->read_again = now_() + kReadAgain;
    return state->token;
  }
  state->problem = token.error();
  if (state->token.empty()) return token;
  state->read_again = now_() + kTryAgain;
  return state->token;
}

void TokenSource::Invalidate() {
  refused_ = true;
}

std::optional<Error> TokenSource::Problem() {
  return state_.Lock()->problem;
}

// Whether others may read the file was judged where it was named (LoadKubeconfig): the kubelet's
// may be read by all in their container. None may be changed by others. White space is cut
// afterwards.
Result<std::string> TokenSource::Read() const {
  TW_ASSIGN(const std::string text,
            ReadCredentialFile(file_, FileKind::kPublic, 2 * kMaxTokenBytes));
  Result<std::string> token = CheckToken(text);
  if (!token) return token.error().Within(Quoted(file_));
  return token;
}

}  // namespace tidewaiter::kubernetes
