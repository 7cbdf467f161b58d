// One HTTP request and its answer as libcurl sees them. Made on the caller's thread; from the
// moment it is handed to the loop until it is done only the loop's thread touches it, and the
// caller waits.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/completion.h"
#include "base/deadline.h"
#include "base/result.h"
#include "broker/io/http_client.h"
#include "broker/io/http_target.h"

namespace tidewaiter::io {

class HttpTransfer {
 public:
  // A stream is open as long as what it tells of; libcurl's own buffer is 16 KiB, and 1 KiB the
  // least that it takes. Of those that nobody waits for there may be hundreds.
  static constexpr long kStreamBufferBytes = 4096;
  static constexpr long kUnawaitedBufferBytes = 1024;

  // `buffer_bytes`: of a stream. `request` and `receiver` (none for Fetch) must outlive the
  // transfer's being done. Errors: INVALID_ARGUMENT (a URL, method or header that could not be sent
  // as it is), RESOURCE_EXHAUSTED.
  static Result<std::shared_ptr<HttpTransfer>> Create(const HttpRequest& request,
                                                      const StreamReceiver* receiver,
                                                      Deadline deadline,
                                                      long buffer_bytes = kStreamBufferBytes);
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;
  ~HttpTransfer() = default;

  [[nodiscard]] CURL* handle() const noexcept { return handle_.get(); }
  [[nodiscard]] Deadline deadline() const noexcept { return deadline_; }
  // When the other side will have been silent, or without a header, for too long; never where that
  // has no bound, or the receiver pauses.
  [[nodiscard]] Deadline SilentAt() const noexcept;
  [[nodiscard]] Error SilenceError() const;
  [[nodiscard]] Error DeadlineError() const;
  [[nodiscard]] Error CancelError() const;

  // Lets a receiver that pauses have more, on the loop's thread and in no callback of libcurl's. An
  // error is the transfer's end: Finish() is to be called with it. Harmless where nothing pauses.
  [[nodiscard]] CURLcode Resume();

  // The two ways to be done, on the loop's thread, after libcurl has let go of the handle. The
  // first one wins; handle() is null afterwards.
  void Finish(CURLcode code);
  void Abort(Error error);
  [[nodiscard]] bool done() const { return done_.Peek().has_value(); }

  // Blocks until done. Once, on the caller's thread; or, where nobody waits, what is told on the
  // loop's thread when it is done. To be set before it is handed to the loop.
  Result<HttpResponse> Wait();
  void SetOnDone(std::function<void(Result<HttpResponse>)> on_done) {
    on_done_ = std::move(on_done);
  }

 private:
  HttpTransfer(const HttpRequest& request, const StreamReceiver* receiver, Deadline deadline);

  [[nodiscard]] bool Prepare(long buffer_bytes);
  [[nodiscard]] bool PrepareMethod();
  [[nodiscard]] bool PrepareHeaders();
  [[nodiscard]] Error Failure(CURLcode code) const;
  void EndWith(Result<HttpResponse> result);
  [[nodiscard]] std::string Subject() const { return target_.Subject(); }
  [[nodiscard]] bool Streaming() const noexcept;

  bool AddHeaderLine(std::string_view line);
  bool AddBody(std::string_view data);
  bool MaySend();

  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self);
  static int OnSend(void* self, char* peer, char* local, int peer_port, int local_port);

  struct HandleDeleter {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
  };
  struct ListDeleter {
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
  };

  const HttpRequest& request_;
  const StreamReceiver* const receiver_;
  const Deadline deadline_;
  HttpTarget target_;
  std::unique_ptr<curl_slist, ListDeleter> headers_;

  HttpResponse response_;
  std::size_t header_bytes_ = 0;
  bool head_complete_ = false;
  int sent_ = 0;                         // how often the request has been sent
  StreamNext next_ = StreamNext::kMore;  // what on_data wanted last
  std::optional<Error> refused_;         // why a callback of ours stopped libcurl
  const Deadline::Clock::time_point begun_ = Deadline::Clock::now();
  Deadline::Clock::time_point last_heard_ = begun_;

  Result<HttpResponse> result_;  // written before done_ is set, read after
  Completion<bool> done_;
  std::function<void(Result<HttpResponse>)> on_done_;
  // The last member, so that it goes first: libcurl must not outlive what it points to.
  std::unique_ptr<CURL, HandleDeleter> handle_;
};

}  // namespace tidewaiter::io
