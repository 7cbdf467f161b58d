// How the receiver of a stream makes its sender wait: an answer's bytes come on the event loop's
// thread, which must not, and what nobody has room for stays with the kernel and so with the
// sender.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "base/guarded.h"

namespace tidewaiter::io {

// What a receiver wants after the bytes that it was just given, which it has taken in each case.
enum class StreamNext {
  kMore,
  kPause,  // no more until StreamControl::Resume
  kEnd,
};

// The way from any thread to a stream that pauses. Made by the caller for one call at a time.
class StreamControl {
 public:
  StreamControl() = default;
  StreamControl(const StreamControl&) = delete;
  StreamControl& operator=(const StreamControl&) = delete;

  // Lets the stream go on. Returns at once; harmless where nothing pauses, before a stream has
  // begun and after it has ended. One that comes while on_data is still making up its mind to pause
  // is not lost: whoever makes room first and calls then need not know.
  void Resume() {
    auto resume = resume_.Lock();
    if (*resume) (*resume)();
  }

  // For implementations of HttpClient: what Resume() does, on the thread of whoever calls it and
  // while nobody else does; nothing at the end of the call.
  void Bind(std::function<void()> resume) { *resume_.Lock() = std::move(resume); }

 private:
  Guarded<std::function<void()>> resume_;
};

// Who gets a stream that may be paused (HttpClient::StreamTo).
struct StreamReceiver {
  std::function<void()> on_open;  // as for HttpClient::Stream
  std::function<StreamNext(std::string_view)> on_data;
  // Must outlive the call. Not null where on_data pauses.
  StreamControl* control = nullptr;
};

}  // namespace tidewaiter::io
