#include "broker/io/http_multi.h"

#include <sys/epoll.h>

#include <chrono>
#include <utility>

namespace tidewaiter::io {
namespace {

// Connections that are kept for the next request, over all hosts.
constexpr long kMaxKeptConnections = 64;

}  // namespace

HttpMulti::HttpMulti(EventLoop& loop, CURLM* multi) : loop_(loop), multi_(multi) {
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &HttpMulti::OnSocket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &HttpMulti::OnTimer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, kMaxKeptConnections);
}

HttpMulti::~HttpMulti() {
  while (!flights_.empty()) {
    const std::shared_ptr<HttpTransfer> transfer = Remove(flights_.begin()->first);
    transfer->Abort(transfer->CancelError());
  }
  multi_.reset();  // may call back
  for (const curl_socket_t socket : watched_) loop_.Unwatch(socket);
  if (timer_ != 0) loop_.CancelTimer(timer_);
}

void HttpMulti::Add(const std::shared_ptr<HttpTransfer>& transfer) {
  CURL* const handle = transfer->handle();
  Flight& flight = flights_[handle];
  flight.transfer = transfer;
  if (!transfer->deadline().never()) {
    flight.deadline = loop_.CallAt(
        transfer->deadline(), [this, transfer] { Abort(transfer, transfer->DeadlineError()); });
  }
  WatchSilence(handle);
  // Starts by way of SetTimer(0).
  if (const CURLMcode code = curl_multi_add_handle(multi_.get(), handle); code != CURLM_OK) {
    Abort(transfer, Fail(ErrorCode::kInternal, curl_multi_strerror(code)));
  }
}

void HttpMulti::Abort(const std::shared_ptr<HttpTransfer>& transfer, Error error) {
  if (!flights_.contains(transfer->handle())) return;
  Remove(transfer->handle());
  transfer->Abort(std::move(error));
}

void HttpMulti::Resume(const std::shared_ptr<HttpTransfer>& transfer) {
  CURL* const handle = transfer->handle();
  const auto flight = flights_.find(handle);
  if (flight == flights_.end()) return;
  // libcurl tells an error of this to whoever resumes, and does not end the transfer by itself.
  if (const CURLcode code = transfer->Resume(); code != CURLE_OK) {
    Remove(handle)->Finish(code);
  } else if (flight->second.silence == 0) {
    WatchSilence(handle);
  }
}

std::shared_ptr<HttpTransfer> HttpMulti::Remove(CURL* handle) {
  const auto found = flights_.find(handle);
  const Flight flight = std::move(found->second);
  flights_.erase(found);
  loop_.CancelTimer(flight.deadline);
  loop_.CancelTimer(flight.silence);
  curl_multi_remove_handle(multi_.get(), handle);
  return flight.transfer;
}

// One timer that looks when it is due whether something has come since, instead of one more timer
// for each piece that comes.
void HttpMulti::WatchSilence(CURL* handle) {
  Flight& flight = flights_.at(handle);
  const Deadline silent_at = flight.transfer->SilentAt();
  if (silent_at.never()) return;
  flight.silence = loop_.CallAt(silent_at, [this, handle] { OnSilence(handle); });
}

void HttpMulti::OnSilence(CURL* handle) {
  Flight& flight = flights_.at(handle);
  flight.silence = 0;
  const std::shared_ptr<HttpTransfer> transfer = flight.transfer;
  if (transfer->SilentAt().Passed()) {
    Abort(transfer, transfer->SilenceError());
  } else {
    WatchSilence(handle);
  }
}

int HttpMulti::OnSocket(CURL* handle, curl_socket_t socket, int what, void* self,
                        void* /*socket_data*/) {
  static_cast<HttpMulti*>(self)->WatchSocket(handle, socket, what);
  return 0;  // an error here would be the end of the whole multi handle
}

void HttpMulti::WatchSocket(CURL* handle, curl_socket_t socket, int what) {
  if (what == CURL_POLL_REMOVE) {
    watched_.erase(socket);
    loop_.Unwatch(socket);
    return;
  }
  const std::uint32_t events =
      ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U);
  if (watched_.contains(socket) && loop_.Rearm(socket, events)) return;
  loop_.Unwatch(socket);
  Result<void> watching = loop_.Watch(socket, events, [this, socket](std::uint32_t ready) {
    // 0: libcurl looks for itself what is wrong, after it has read what is there.
    int flags = 0;
    if ((ready & (EPOLLERR | EPOLLHUP)) == 0) {
      flags = ((ready & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
              ((ready & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0);
    }
    Act(socket, flags);
  });
  if (watching) {
    watched_.insert(socket);
    return;
  }
  // Not from inside libcurl's callback.
  const auto flight = flights_.find(handle);
  if (flight == flights_.end()) return;
  loop_.CallAt(Deadline::After({}),
               [this, transfer = flight->second.transfer, error = std::move(watching).error()] {
                 Abort(transfer, error);
               });
}

int HttpMulti::OnTimer(CURLM* /*multi*/, long wait_millis, void* self) {
  static_cast<HttpMulti*>(self)->SetTimer(wait_millis);
  return 0;
}

void HttpMulti::SetTimer(long wait_millis) {
  if (timer_ != 0) loop_.CancelTimer(std::exchange(timer_, 0));
  if (wait_millis < 0) return;
  // Also where it is due at once: libcurl must not be called from its own callback.
  timer_ = loop_.CallAt(Deadline::After(std::chrono::milliseconds(wait_millis)), [this] {
    timer_ = 0;
    Act(CURL_SOCKET_TIMEOUT, 0);
  });
}

void HttpMulti::Act(curl_socket_t socket, int what) {
  int running = 0;
  curl_multi_socket_action(multi_.get(), socket, what, &running);
  Reap();
}

void HttpMulti::Reap() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    Remove(message->easy_handle)->Finish(code);  // ends the life of `message`
  }
}

}  // namespace tidewaiter::io
