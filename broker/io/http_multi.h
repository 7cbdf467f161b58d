// Every request in flight, on libcurl's multi interface driven by the event loop: libcurl says
// which sockets and which timer it wants, the loop says what has happened. The loop's thread only.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "broker/io/event_loop.h"
#include "broker/io/http_transfer.h"

namespace tidewaiter::io {

class HttpMulti {
 public:
  // `multi` is given. Any thread; the loop must outlive this.
  HttpMulti(EventLoop& loop, CURLM* multi);
  HttpMulti(const HttpMulti&) = delete;
  HttpMulti& operator=(const HttpMulti&) = delete;
  // Cancels what is still in flight and closes every connection.
  ~HttpMulti();

  void Add(const std::shared_ptr<HttpTransfer>& transfer);
  // Ends the transfer with `error`, unless it is done.
  void Abort(const std::shared_ptr<HttpTransfer>& transfer, Error error);
  // Lets a transfer whose receiver pauses go on, unless it is done.
  void Resume(const std::shared_ptr<HttpTransfer>& transfer);

 private:
  struct Flight {
    std::shared_ptr<HttpTransfer> transfer;
    EventLoop::TimerId deadline = 0;
    EventLoop::TimerId silence = 0;  // 0: none is set
  };

  std::shared_ptr<HttpTransfer> Remove(CURL* handle);
  void WatchSilence(CURL* handle);
  void OnSilence(CURL* handle);
  void WatchSocket(CURL* handle, curl_socket_t socket, int what);
  void SetTimer(long wait_millis);
  void Act(curl_socket_t socket, int what);
  void Reap();

  static int OnSocket(CURL* handle, curl_socket_t socket, int what, void* self, void* socket_data);
  static int OnTimer(CURLM* multi, long wait_millis, void* self);

  struct MultiDeleter {
    void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
  };

  EventLoop& loop_;
  std::unordered_map<CURL*, Flight> flights_;
  std::unordered_set<curl_socket_t> watched_;
  EventLoop::TimerId timer_ = 0;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
};

}  // namespace tidewaiter::io
