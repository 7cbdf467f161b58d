#include "broker/io/curl_stream.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace tidewaiter::io {
namespace {

using std::chrono::milliseconds;

// A record of TLS, about: what is given at once, in either direction.
constexpr std::size_t kPieceBytes = std::size_t{16} << 10U;

// For curl_multi_poll: rounded up, so that it does not spin through the last millisecond.
int PollMillis(Deadline deadline) {
  constexpr milliseconds kLongest = std::chrono::hours(1);
  if (deadline.never()) return static_cast<int>(kLongest.count());
  return static_cast<int>(
      std::min(std::chrono::ceil<milliseconds>(deadline.Left()), kLongest).count());
}

Error Cancelled() {
  return Fail(ErrorCode::kCancelled, "cancelled");
}

}  // namespace

Result<std::unique_ptr<CurlStream>> CurlStream::Connect(const HttpRequest& request,
                                                        const std::stop_token& stop,
                                                        Deadline deadline) {
  // Not make_unique: the constructor is private.
  std::unique_ptr<CurlStream> stream(new CurlStream(request));
  if (!stream->Prepare()) return Fail(ErrorCode::kResourceExhausted, "out of memory");
  TW_TRY(stream->Connect(stop, deadline));
  return stream;
}

CurlStream::~CurlStream() {
  if (multi_ && handle_) curl_multi_remove_handle(multi_.get(), handle_.get());
}

bool CurlStream::Prepare() {
  multi_.reset(curl_multi_init());
  handle_.reset(curl_easy_init());
  return multi_ && handle_ && target_.Apply(handle_.get()) &&
         curl_easy_setopt(handle_.get(), CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
         curl_multi_add_handle(multi_.get(), handle_.get()) == CURLM_OK;
}

Result<void> CurlStream::Connect(const std::stop_token& stop, Deadline deadline) {
  for (;;) {
    if (const std::optional<CURLcode> code = Connected()) {
      if (*code != CURLE_OK) return target_.ErrorOf(handle_.get(), *code, false);
      last_heard_ = Deadline::Clock::now();
      curl_easy_getinfo(handle_.get(), CURLINFO_ACTIVESOCKET, &socket_);
      return Ok();
    }
    TW_TRY(Wait(stop, deadline));
  }
}

std::optional<CURLcode> CurlStream::Connected() {
  int running = 0;
  if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) return CURLE_OUT_OF_MEMORY;
  int left = 0;
  const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left);
  if (message == nullptr || message->msg != CURLMSG_DONE) return std::nullopt;
  return message->data.result;
}

void CurlStream::Wake() noexcept {
  woken_ = true;
  curl_multi_wakeup(multi_.get());
}

Result<void> CurlStream::Wait(const std::stop_token& stop, Deadline deadline) {
  const std::stop_callback waker(stop, [this] { curl_multi_wakeup(multi_.get()); });
  // A wake-up that nobody waits for stays for the next one who does: nothing is missed in between.
  if (stop.stop_requested()) return Cancelled();
  if (deadline.Passed()) return Fail(ErrorCode::kDeadlineExceeded, "the deadline has passed");
  curl_waitfd watched{};
  watched.fd = socket_;
  // The flags are those of poll(2), in its `short`.
  watched.events = CURL_WAIT_POLLIN;
  if (!idle()) watched.events = CURL_WAIT_POLLIN | CURL_WAIT_POLLOUT;
  const unsigned watching = socket_ == CURL_SOCKET_BAD ? 0 : 1;
  const CURLMcode code =
      curl_multi_poll(multi_.get(), &watched, watching, PollMillis(deadline), nullptr);
  if (code != CURLM_OK) {
    return Fail(ErrorCode::kInternal,
                std::string("wait for a connection: ") + curl_multi_strerror(code));
  }
  if (stop.stop_requested()) return Cancelled();
  return Ok();
}

void CurlStream::Send(std::string_view bytes) {
  if (broken_) return;
  waiting_ += bytes;
  Flush();
}

void CurlStream::Flush() {
  while (!broken_) {
    if (sending_.empty()) sending_.swap(waiting_);
    if (sending_.empty()) return;
    const std::string_view rest = std::string_view(sending_).substr(sent_, kPieceBytes);
    std::size_t taken = 0;
    const CURLcode code = curl_easy_send(handle_.get(), rest.data(), rest.size(), &taken);
    if (code == CURLE_AGAIN) return;
    broken_ = code != CURLE_OK;
    sent_ += taken;
    if (!broken_ && sent_ < sending_.size()) continue;
    sending_ = {};  // no memory while nothing waits
    sent_ = 0;
  }
  waiting_ = {};
}

Result<std::optional<CurlStream::Event>> CurlStream::Read(std::string& into, std::size_t limit) {
  if (ended_) return std::optional(Event::kEnd);
  std::array<char, kPieceBytes> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  std::size_t got = 0;
  const CURLcode code =
      curl_easy_recv(handle_.get(), bytes.data(), std::min(limit, bytes.size()), &got);
  if (code == CURLE_AGAIN) return std::optional<Event>();
  if (code != CURLE_OK) return target_.ErrorOf(handle_.get(), code, true);
  last_heard_ = Deadline::Clock::now();
  ended_ = got == 0;
  into.append(bytes.data(), got);
  return std::optional(ended_ ? Event::kEnd : Event::kBytes);
}

Result<CurlStream::Event> CurlStream::Exchange(std::string& into, std::size_t limit,
                                               const std::stop_token& stop, Deadline deadline) {
  for (;;) {
    if (stop.stop_requested()) return Cancelled();
    const bool waited = !idle();
    Flush();
    TW_ASSIGN(const std::optional<Event> event, Read(into, limit));
    if (event) return *event;
    if (waited && idle()) return Event::kSent;
    if (woken_.exchange(false)) return Event::kWoken;
    const bool bounded = request_.silence > milliseconds::zero();
    const Deadline silent_at =
        bounded ? Deadline::At(last_heard_ + request_.silence) : Deadline::Never();
    if (silent_at.Passed() && !deadline.Passed()) {
      return Fail(ErrorCode::kDeadlineExceeded,
                  "nothing came for " + std::to_string(request_.silence.count()) + " ms", "SILENT");
    }
    const Result<void> ready = Wait(stop, deadline.Sooner(silent_at));
    // Looked at again above, after what has come.
    const bool silent = !ready && ready.error().code == ErrorCode::kDeadlineExceeded;
    if (!ready && (!silent || deadline.Passed())) return ready.error();
  }
}

}  // namespace tidewaiter::io
