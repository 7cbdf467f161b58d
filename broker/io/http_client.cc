#include "broker/io/http_client.h"

#include <curl/curl.h>

#include <atomic>
#include <optional>
#include <utility>

#include "base/completion.h"
#include "broker/io/http_head.h"
#include "broker/io/http_multi.h"
#include "broker/io/http_transfer.h"

namespace tidewaiter::io {
namespace {

class CurlHttpClient final : public HttpClient {
 public:
  CurlHttpClient(EventLoop& loop, CURLM* multi)
      : loop_(loop), multi_(std::make_unique<HttpMulti>(loop, multi)) {}
  CurlHttpClient(const CurlHttpClient&) = delete;
  CurlHttpClient& operator=(const CurlHttpClient&) = delete;
  ~CurlHttpClient() override;

  Result<HttpResponse> Fetch(const HttpRequest& request, const std::stop_token& stop,
                             Deadline deadline) override {
    return Run(request, nullptr, stop, deadline);
  }

  Result<HttpResponse> Stream(const HttpRequest& request, const std::stop_token& stop,
                              Deadline deadline, std::function<void()> on_open,
                              std::function<bool(std::string_view)> on_data) override {
    const StreamReceiver receiver{.on_open = std::move(on_open),
                                  .on_data = [&on_data](std::string_view data) {
                                    return on_data(data) ? StreamNext::kMore : StreamNext::kEnd;
                                  }};
    return Run(request, &receiver, stop, deadline);
  }

  Result<HttpResponse> StreamTo(const HttpRequest& request, const std::stop_token& stop,
                                Deadline deadline, const StreamReceiver& receiver) override {
    return Run(request, &receiver, stop, deadline);
  }

  Result<std::unique_ptr<HttpStream>> Begin(
      HttpRequest request, Deadline deadline, StreamReceiver receiver,
      std::function<void(Result<HttpResponse>)> on_end) override;

 private:
  Result<HttpResponse> Run(const HttpRequest& request, const StreamReceiver* receiver,
                           const std::stop_token& stop, Deadline deadline);

  EventLoop& loop_;
  std::unique_ptr<HttpMulti> multi_;  // the loop's thread only, once the first request is posted
};

// What a StreamControl does while the call lasts: the loop has at most one task of it at a time,
// however often it is called.
class BoundControl {
 public:
  BoundControl(EventLoop& loop, HttpMulti& multi, const std::shared_ptr<HttpTransfer>& transfer,
               StreamControl* control)
      : control_(control) {
    if (control_ == nullptr) return;
    control_->Bind([&loop, &multi, transfer, posted = std::make_shared<std::atomic<bool>>(false)] {
      if (posted->exchange(true)) return;
      loop.Post([&multi, transfer, posted] {
        *posted = false;  // first: who has made room since then is seen, or posts again
        if (!transfer->done()) multi.Resume(transfer);
      });
    });
  }
  ~BoundControl() {
    if (control_ != nullptr) control_->Bind(nullptr);
  }
  BoundControl(const BoundControl&) = delete;
  BoundControl& operator=(const BoundControl&) = delete;

 private:
  StreamControl* const control_;
};

// Owns what its transfer refers to, and lets go of it only when the loop has.
class CurlStream final : public HttpStream {
 public:
  using OnEnd = std::function<void(Result<HttpResponse>)>;

  CurlStream(EventLoop& loop, HttpMulti& multi, HttpRequest request, StreamReceiver receiver,
             OnEnd on_end)
      : loop_(loop),
        multi_(multi),
        request_(std::move(request)),
        receiver_(std::move(receiver)),
        on_end_(std::move(on_end)) {}
  CurlStream(const CurlStream&) = delete;
  CurlStream& operator=(const CurlStream&) = delete;
  ~CurlStream() override {
    if (!transfer_) return;
    unwanted_ = true;
    loop_.Post([multi = &multi_, transfer = transfer_] {
      if (!transfer->done()) multi->Abort(transfer, transfer->CancelError());
    });
    over_->Wait({}, Deadline::Never());
  }

  Result<void> Start(Deadline deadline) {
    TW_ASSIGN(transfer_, HttpTransfer::Create(request_, &receiver_, deadline,
                                              HttpTransfer::kUnawaitedBufferBytes));
    control_.emplace(loop_, multi_, transfer_, receiver_.control);
    transfer_->SetOnDone([this, over = over_](Result<HttpResponse> result) {
      if (!unwanted_) on_end_(std::move(result));
      over->Set(true);  // the last: then this may be gone
    });
    loop_.Post([multi = &multi_, transfer = transfer_] { multi->Add(transfer); });
    return Ok();
  }

 private:
  EventLoop& loop_;
  HttpMulti& multi_;
  const HttpRequest request_;
  const StreamReceiver receiver_;
  const OnEnd on_end_;
  std::atomic<bool> unwanted_ = false;
  const std::shared_ptr<Completion<bool>> over_ = std::make_shared<Completion<bool>>();
  std::shared_ptr<HttpTransfer> transfer_;
  std::optional<BoundControl> control_;  // goes first: nobody resumes what is going
};

Result<std::unique_ptr<HttpStream>> CurlHttpClient::Begin(HttpRequest request, Deadline deadline,
                                                          StreamReceiver receiver,
                                                          CurlStream::OnEnd on_end) {
  auto stream = std::make_unique<CurlStream>(loop_, *multi_, std::move(request),
                                             std::move(receiver), std::move(on_end));
  TW_TRY(stream->Start(deadline));
  return std::unique_ptr<HttpStream>(std::move(stream));
}

CurlHttpClient::~CurlHttpClient() {
  if (loop_.OnLoopThread()) return;
  // No request is in flight any more, but tasks and timers of theirs may be.
  const auto closed = std::make_shared<Completion<bool>>();  // shared: Set() may outlast Wait()
  loop_.Post([this, closed] {
    multi_.reset();
    closed->Set(true);
  });
  closed->Wait({}, Deadline::Never());
}

// Deadline and stop are acted on by the loop, and the caller always waits until the loop has let
// go: that is why `request`, the receiver and what its functions refer to may live on the caller's
// stack.
Result<HttpResponse> CurlHttpClient::Run(const HttpRequest& request, const StreamReceiver* receiver,
                                         const std::stop_token& stop, Deadline deadline) {
  if (loop_.OnLoopThread()) {
    return Fail(ErrorCode::kInternal, "send a request: called on the event loop's own thread");
  }
  TW_ASSIGN(const std::shared_ptr<HttpTransfer> transfer,
            HttpTransfer::Create(request, receiver, deadline));
  if (stop.stop_requested()) return transfer->CancelError();
  if (deadline.Passed()) return transfer->DeadlineError();
  const BoundControl control(loop_, *multi_, transfer,
                             receiver == nullptr ? nullptr : receiver->control);
  loop_.Post([multi = multi_.get(), transfer] { multi->Add(transfer); });
  const std::stop_callback cancel(stop, [this, &transfer] {
    loop_.Post([multi = multi_.get(), transfer] {
      // Done is done on this thread; afterwards the caller's request is no longer there to name.
      if (!transfer->done()) multi->Abort(transfer, transfer->CancelError());
    });
  });
  return transfer->Wait();
}

}  // namespace

std::string_view HttpResponse::Header(std::string_view name) const noexcept {
  return FindHeader(headers, name);
}

Result<std::unique_ptr<HttpClient>> HttpClient::Create(EventLoop& loop) {
  // Thread-safe since libcurl 7.84.
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialised != CURLE_OK) {
    return Fail(ErrorCode::kInternal, "start the HTTP client: libcurl does not initialise");
  }
  CURLM* const multi = curl_multi_init();
  if (multi == nullptr) {
    return Fail(ErrorCode::kResourceExhausted, "start the HTTP client: out of memory");
  }
  return std::make_unique<CurlHttpClient>(loop, multi);
}

}  // namespace tidewaiter::io
