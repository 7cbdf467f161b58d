#include "broker/io/http_transfer.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/printable.h"
#include "broker/io/http_errors.h"
#include "broker/io/http_head.h"

namespace tidewaiter::io {
namespace {

// All header lines of an answer together, those of interim answers and trailers included.
constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 10U;
constexpr std::size_t kMaxUrlInErrors = 200;

// A request of one of these may be sent twice (RFC 9110, 9.2.2).
bool IsIdempotent(std::string_view method) {
  return method != "POST" && method != "PATCH" && method != "CONNECT";
}

bool HasBodyByNature(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

// Whether the server is to be known by another name than the URL's host.
bool HasServerName(const HttpRequest& request) {
  return request.tls != nullptr && !request.tls->server_name.empty() &&
         request.url.starts_with("https://");
}

bool HasHeader(const HttpRequest& request, std::string_view lower_case_name) {
  return std::any_of(request.headers.begin(), request.headers.end(), [&](const auto& header) {
    const std::optional parsed = ParseHttpHeader(header.first + ":");
    return parsed && parsed->first == lower_case_name;
  });
}

// Whether the request can be written down without a line of its own making.
bool IsSendable(const HttpRequest& request) {
  const bool known_scheme =
      request.url.starts_with("http://") || request.url.starts_with("https://");
  if (!known_scheme || HasControl(request.url) || request.url.find(' ') != std::string::npos) {
    return false;
  }
  if (!IsHttpToken(request.method) || request.unix_socket.find('\0') != std::string::npos) {
    return false;
  }
  return std::all_of(request.headers.begin(), request.headers.end(), [](const auto& header) {
    return IsHttpToken(header.first) && !HasControl(header.second);
  });
}

template <typename Value>
bool Set(CURL* handle, CURLoption option, Value value) {
  return curl_easy_setopt(handle, option, value) == CURLE_OK;
}

}  // namespace

HttpTransfer::HttpTransfer(const HttpRequest& request, const StreamReceiver* receiver,
                           Deadline deadline)
    : request_(request),
      receiver_(receiver),
      deadline_(deadline),
      route_(HasServerName(request) ? RouteByName(request.url, request.tls->server_name)
                                    : std::nullopt) {}

Result<std::shared_ptr<HttpTransfer>> HttpTransfer::Create(const HttpRequest& request,
                                                           const StreamReceiver* receiver,
                                                           Deadline deadline) {
  // Not make_shared: the constructor is private.
  std::shared_ptr<HttpTransfer> transfer(new HttpTransfer(request, receiver, deadline));
  if (!IsSendable(request) || (HasServerName(request) && !transfer->route_)) {
    return Fail(ErrorCode::kInvalidArgument,
                transfer->Subject() + ": not a request that can be sent");
  }
  if (!transfer->Prepare()) {
    return Fail(ErrorCode::kResourceExhausted, transfer->Subject() + ": out of memory");
  }
  return transfer;
}

bool HttpTransfer::Prepare() {
  handle_.reset(curl_easy_init());
  CURL* const curl = handle_.get();
  if (curl == nullptr) return false;
  detail_.front() = '\0';
  // 0 and 1 are `long` in libcurl's variadic interface.
  const bool bounded =
      Set(curl, CURLOPT_URL, route_ ? route_->url.c_str() : request_.url.c_str()) &&
      Set(curl, CURLOPT_PROTOCOLS_STR, "http,https") &&
      Set(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) && Set(curl, CURLOPT_FOLLOWLOCATION, 0L) &&
      Set(curl, CURLOPT_HTTP09_ALLOWED, 0L) &&
      Set(curl, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1}) &&
      Set(curl, CURLOPT_PROXY, "") &&  // none from the environment
      Set(curl, CURLOPT_SSL_VERIFYPEER, 1L) && Set(curl, CURLOPT_SSL_VERIFYHOST, 2L) &&
      Set(curl, CURLOPT_NOSIGNAL, 1L) &&
      // A stream that says nothing for hours is one whose peer may be gone without a word.
      Set(curl, CURLOPT_TCP_KEEPALIVE, 1L) && Set(curl, CURLOPT_TCP_KEEPIDLE, 30L) &&
      Set(curl, CURLOPT_TCP_KEEPINTVL, 10L) &&
      // A name that is still being looked up must not hold up the loop when the
      // request is cancelled: libcurl would join its resolver thread.
      Set(curl, CURLOPT_QUICK_EXIT, 1L) && Set(curl, CURLOPT_USERAGENT, "tidewaiter");
  const bool local = request_.unix_socket.empty() ||
                     Set(curl, CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.c_str());
  void* const self = this;
  const bool connected = Set(curl, CURLOPT_ERRORBUFFER, detail_.data()) &&
                         Set(curl, CURLOPT_PRIVATE, self) &&
                         Set(curl, CURLOPT_HEADERFUNCTION, &HttpTransfer::OnHeader) &&
                         Set(curl, CURLOPT_HEADERDATA, self) &&
                         Set(curl, CURLOPT_WRITEFUNCTION, &HttpTransfer::OnBody) &&
                         Set(curl, CURLOPT_WRITEDATA, self) &&
                         Set(curl, CURLOPT_PREREQFUNCTION, &HttpTransfer::OnSend) &&
                         Set(curl, CURLOPT_PREREQDATA, self) &&
                         Set(curl, CURLOPT_OPENSOCKETFUNCTION, &HttpTransfer::OpenSocket);
  return bounded && local && connected && PrepareMethod() && PrepareHeaders() && PrepareTrust() &&
         PrepareRoute();
}

bool HttpTransfer::PrepareTrust() {
  if (request_.tls != nullptr) return UseIdentity(handle_.get(), *request_.tls);
  return request_.ca_certificates.empty() || TrustBesides(handle_.get(), request_.ca_certificates);
}

bool HttpTransfer::PrepareRoute() {
  if (!route_) return true;
  connect_to_.reset(curl_slist_append(nullptr, route_->connect_to.c_str()));
  return connect_to_ != nullptr && Set(handle_.get(), CURLOPT_CONNECT_TO, connect_to_.get());
}

bool HttpTransfer::PrepareMethod() {
  CURL* const curl = handle_.get();
  if (request_.method == "HEAD") return Set(curl, CURLOPT_NOBODY, 1L);
  if (!request_.body.empty() || HasBodyByNature(request_.method)) {
    // Not copied: the caller waits until libcurl has let go.
    if (!Set(curl, CURLOPT_POST, 1L) || !Set(curl, CURLOPT_POSTFIELDS, request_.body.data()) ||
        !Set(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()))) {
      return false;
    }
  }
  return Set(curl, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
}

bool HttpTransfer::PrepareHeaders() {
  // No waiting for "100 Continue", and no content type that libcurl makes up.
  std::vector<std::string> lines{"Expect:"};
  if (!HasHeader(request_, "content-type")) lines.emplace_back("Content-Type:");
  if (route_ && !HasHeader(request_, "host")) lines.push_back("Host: " + route_->host);
  for (const auto& [name, value] : request_.headers) {
    // "Name:" would take the header away; "Name;" sends it without a value.
    lines.emplace_back(name).append(value.empty() ? ";" : ": ").append(value);
  }
  for (const std::string& line : lines) {
    curl_slist* const longer = curl_slist_append(headers_.get(), line.c_str());
    if (longer == nullptr) return false;
    (void)headers_.release();
    headers_.reset(longer);
  }
  return Set(handle_.get(), CURLOPT_HTTPHEADER, headers_.get());
}

std::string HttpTransfer::Subject() const {
  std::string line = request_.method;
  line.append(" ").append(request_.url, 0, request_.url.find('?'));
  return "send " + Quoted(line, kMaxUrlInErrors);
}

Deadline HttpTransfer::SilentAt() const noexcept {
  constexpr std::chrono::milliseconds kUnbounded{0};
  if (next_ == StreamNext::kPause) return Deadline::Never();
  Deadline at = Deadline::Never();
  if (request_.silence > kUnbounded) at = Deadline::At(last_heard_ + request_.silence);
  if (request_.head_within > kUnbounded && !head_complete_) {
    at = at.Sooner(Deadline::At(begun_ + request_.head_within));
  }
  return at;
}

Error HttpTransfer::SilenceError() const {
  const bool quiet = request_.silence > std::chrono::milliseconds::zero() &&
                     Deadline::At(last_heard_ + request_.silence).Passed();
  const std::string what =
      quiet ? ": nothing came for " + std::to_string(request_.silence.count())
            : ": no answer began for " + std::to_string(request_.head_within.count());
  return Fail(ErrorCode::kDeadlineExceeded, Subject() + what + " ms", "SILENT");
}

Error HttpTransfer::DeadlineError() const {
  return Fail(ErrorCode::kDeadlineExceeded, Subject() + ": no answer within the deadline");
}

Error HttpTransfer::CancelError() const {
  return Fail(ErrorCode::kCancelled, Subject() + ": cancelled");
}

CURLcode HttpTransfer::Resume() {
  if (next_ != StreamNext::kPause) return CURLE_OK;
  next_ = StreamNext::kMore;
  last_heard_ = Deadline::Clock::now();
  // Gives what libcurl has kept, at once, which may pause again.
  return curl_easy_pause(handle_.get(), CURLPAUSE_CONT);
}

void HttpTransfer::Finish(CURLcode code) {
  if (done()) return;
  if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && next_ == StreamNext::kEnd)) {
    EndWith(std::move(response_));
  } else {
    EndWith(Failure(code));
  }
}

void HttpTransfer::Abort(Error error) {
  if (done()) return;
  EndWith(tl::unexpected(std::move(error)));
}

// What libcurl allocated on the loop's thread goes back there, once nobody waits for it any more.
// Freed by the caller it would stay in the cache that malloc keeps for each thread, and a run's
// thread does nothing for hours.
void HttpTransfer::EndWith(Result<HttpResponse> result) {
  result_ = std::move(result);
  done_.Set(true);
  handle_.reset();
}

Result<HttpResponse> HttpTransfer::Wait() {
  done_.Wait({}, Deadline::Never());
  return std::move(result_);
}

Error HttpTransfer::Failure(CURLcode code) const {
  if (refused_) return *refused_;
  if (code == CURLE_COULDNT_CONNECT && sent_ == 0) {
    long errno_value = 0;
    curl_easy_getinfo(handle_.get(), CURLINFO_OS_ERRNO, &errno_value);
    return ConnectError(errno_value, request_.unix_socket).Within(Subject());
  }
  const std::string_view detail(detail_.data());
  return HttpError(code, sent_ > 0, detail).Within(Subject());
}

bool HttpTransfer::Streaming() const noexcept {
  return receiver_ != nullptr && response_.status >= 200 && response_.status < 300;
}

bool HttpTransfer::AddHeaderLine(std::string_view line) {
  last_heard_ = Deadline::Clock::now();
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    refused_ =
        Fail(ErrorCode::kResourceExhausted, Subject() + ": the answer's header is longer than " +
                                                std::to_string(kMaxHeaderBytes) + " bytes");
    return false;
  }
  if (head_complete_) return true;  // a trailer
  if (line.starts_with("HTTP/")) {
    response_.headers.clear();  // those of an interim answer
    curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &response_.status);
    return true;
  }
  if (line == "\r\n" || line == "\n") {
    head_complete_ = response_.status >= 200;
    if (head_complete_ && Streaming() && receiver_->on_open) receiver_->on_open();
    return true;
  }
  line = line.substr(0, line.find_last_not_of("\r\n") + 1);
  if (auto header = ParseHttpHeader(line)) response_.headers.push_back(*std::move(header));
  return true;
}

bool HttpTransfer::AddBody(std::string_view data) {
  last_heard_ = Deadline::Clock::now();
  if (!head_complete_) {
    refused_ = Fail(ErrorCode::kInternal, Subject() + ": the answer has no final status");
    return false;
  }
  if (Streaming()) {
    next_ = receiver_->on_data(data);
    return next_ != StreamNext::kEnd;
  }
  if (data.size() > request_.max_response_bytes - response_.body.size()) {
    refused_ = Fail(ErrorCode::kResourceExhausted, Subject() + ": the answer is longer than " +
                                                       std::to_string(request_.max_response_bytes) +
                                                       " bytes");
    return false;
  }
  response_.body.append(data);
  return true;
}

// libcurl repeats any request by itself when a kept connection turns out to be closed. What must
// not happen twice is not repeated: the other side may have acted before it closed.
bool HttpTransfer::MaySend() {
  if (sent_ > 0 && !IsIdempotent(request_.method)) {
    refused_ = Fail(ErrorCode::kUnavailable,
                    Subject() + ": the connection was closed before an answer came");
    return false;
  }
  ++sent_;
  return true;
}

std::size_t HttpTransfer::OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
  const std::size_t bytes = size * count;
  return static_cast<HttpTransfer*>(self)->AddHeaderLine({data, bytes}) ? bytes : 0;
}

// The bytes after which the receiver pauses are taken; libcurl learns of the pause by the next
// ones, which it keeps, and reads no more.
std::size_t HttpTransfer::OnBody(char* data, std::size_t size, std::size_t count, void* self) {
  const std::size_t bytes = size * count;
  auto* const transfer = static_cast<HttpTransfer*>(self);
  if (transfer->next_ == StreamNext::kPause) return CURL_WRITEFUNC_PAUSE;
  return transfer->AddBody({data, bytes}) ? bytes : 0;
}

int HttpTransfer::OnSend(void* self, char* /*peer*/, char* /*local*/, int /*peer_port*/,
                         int /*local_port*/) {
  return static_cast<HttpTransfer*>(self)->MaySend() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

curl_socket_t HttpTransfer::OpenSocket(void* /*self*/, curlsocktype /*purpose*/,
                                       curl_sockaddr* address) {
  // This version of libcurl would leave the connection open to programs that are started.
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace tidewaiter::io
