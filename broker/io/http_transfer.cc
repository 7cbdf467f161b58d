#include "broker/io/http_transfer.h"

#include <utility>

#include "broker/io/http_head.h"

namespace tidewaiter::io {
namespace {

// All header lines of an answer together, those of interim answers and trailers included.
constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 10U;

// A request of one of these may be sent twice (RFC 9110, 9.2.2).
bool IsIdempotent(std::string_view method) {
  return method != "POST" && method != "PATCH" && method != "CONNECT";
}

bool HasBodyByNature(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

template <typename Value>
bool Set(CURL* handle, CURLoption option, Value value) {
  return curl_easy_setopt(handle, option, value) == CURLE_OK;
}

}  // namespace

HttpTransfer::HttpTransfer(const HttpRequest& request, const StreamReceiver* receiver,
                           Deadline deadline)
    : request_(request), receiver_(receiver), deadline_(deadline), target_(request) {}

Result<std::shared_ptr<HttpTransfer>> HttpTransfer::Create(const HttpRequest& request,
                                                           const StreamReceiver* receiver,
                                                           Deadline deadline, long buffer_bytes) {
  // Not make_shared: the constructor is private.
  std::shared_ptr<HttpTransfer> transfer(new HttpTransfer(request, receiver, deadline));
  if (!transfer->target_.sendable()) {
    return Fail(ErrorCode::kInvalidArgument,
                transfer->Subject() + ": not a request that can be sent");
  }
  if (!transfer->Prepare(buffer_bytes)) {
    return Fail(ErrorCode::kResourceExhausted, transfer->Subject() + ": out of memory");
  }
  return transfer;
}

bool HttpTransfer::Prepare(long buffer_bytes) {
  handle_.reset(curl_easy_init());
  CURL* const curl = handle_.get();
  if (curl == nullptr) return false;
  void* const self = this;
  // 0 and 1 are `long` in libcurl's variadic interface.
  return target_.Apply(curl) && Set(curl, CURLOPT_HTTP09_ALLOWED, 0L) &&
         Set(curl, CURLOPT_USERAGENT, "tidewaiter") && Set(curl, CURLOPT_PRIVATE, self) &&
         Set(curl, CURLOPT_HEADERFUNCTION, &HttpTransfer::OnHeader) &&
         Set(curl, CURLOPT_HEADERDATA, self) &&
         Set(curl, CURLOPT_WRITEFUNCTION, &HttpTransfer::OnBody) &&
         Set(curl, CURLOPT_WRITEDATA, self) &&
         Set(curl, CURLOPT_PREREQFUNCTION, &HttpTransfer::OnSend) &&
         Set(curl, CURLOPT_PREREQDATA, self) &&
         (receiver_ == nullptr || Set(curl, CURLOPT_BUFFERSIZE, buffer_bytes)) && PrepareMethod() &&
         PrepareHeaders();
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
  if (!target_.HasHeader("content-type")) lines.emplace_back("Content-Type:");
  if (!target_.host().empty() && !target_.HasHeader("host")) {
    lines.emplace_back("Host: ").append(target_.host());
  }
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
  if (on_done_) std::exchange(on_done_, {})(std::move(result_));
}

Result<HttpResponse> HttpTransfer::Wait() {
  done_.Wait({}, Deadline::Never());
  return std::move(result_);
}

Error HttpTransfer::Failure(CURLcode code) const {
  if (refused_) return *refused_;
  return target_.ErrorOf(handle_.get(), code, sent_ > 0).Within(Subject());
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

}  // namespace tidewaiter::io
