// A WebSocket as its client has it (RFC 6455), for straight-line code: calls block the calling
// thread, never the loop's, until they are done, the deadline has passed or the token is stopped.
// One thread at a time, which both reads and writes; only Wake() is for any thread. What nobody
// asks for is not read: the other side waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "broker/io/http_client.h"

namespace tidewaiter::io {

class WebSocket {
 public:
  struct Event {
    enum class Kind {
      kData,    // `data` of a message
      kRoom,    // Send takes a message again, after it refused one
      kWoken,   // Wake() was called
      kClosed,  // the other side has closed, in `code` and `reason`; again in every further call
    };
    Kind kind = Kind::kData;
    std::span<const std::byte> data{};  // until the next call; may be empty where it begins or ends
    bool begins = false;                // a message begins with it
    bool ends = false;                  // and ends
    bool text = false;                  // of a text message; that it is UTF-8 has not been checked
    std::uint16_t code = 0;             // 1005: none was given (7.1.5)
    std::string reason{};               // a stranger's
  };

  // Where the server answers anything but 101 there is no socket, but that answer, its body cut at
  // 4 KiB (as much as came within two seconds).
  struct Opened {
    std::unique_ptr<WebSocket> socket;
    HttpResponse refusal;
  };

  // Connects as HttpClient does and asks for WebSocket with that subprotocol and no extension.
  // `request`: a GET without a body. Its `silence` is borne in Receive and Close too, its
  // `head_within` is for connecting and the answer's header; nothing of it need outlive the call.
  // Errors: INVALID_ARGUMENT (no such request; "TLS_IDENTITY"), UNAVAILABLE (cannot connect,
  // closed or reset before an answer came; "TLS_UNTRUSTED"; "CONNECT_FAILED" and TLS's reasons only
  // where nothing was sent), DEADLINE_EXCEEDED ("SILENT" where it is the request's own bound),
  // CANCELLED, RESOURCE_EXHAUSTED (a header of more than 16 KiB), INTERNAL (not HTTP, or a 101 to
  // something else).
  static Result<Opened> Open(const HttpRequest& request, std::string_view subprotocol,
                             const std::stop_token& stop, Deadline deadline);

  // Closes at once; what waits to be sent is lost, and what has been sent may be. Not while a call
  // is running.
  virtual ~WebSocket() = default;

  // The next thing that happens. Meanwhile sends what Send has taken, and answers to pings. A
  // deadline that has passed: what is there already. Errors: UNAVAILABLE (the connection broke, or
  // ended without a Close frame), INTERNAL and RESOURCE_EXHAUSTED (not WebSocket, a frame of more
  // than 1 GiB), each again in every further call; DEADLINE_EXCEEDED (reason SILENT: the request's
  // `silence`) and CANCELLED, after which it can be gone on with.
  virtual Result<Event> Receive(const std::stop_token& stop, Deadline deadline) = 0;

  // Takes a binary message whole, or nothing where an earlier one still waits to be sent: false,
  // and Receive will say kRoom. Does not block: what the connection does not take at once is sent
  // by Receive or Close, so that neither side waits for the other to read. Once the other side has
  // closed or the connection is broken, everything is taken and dropped, which Receive tells.
  virtual bool Send(std::span<const std::byte> message) = 0;

  // Ends a Receive that waits, or the next one that would, by kWoken: for whoever has something to
  // be sent. Any thread.
  virtual void Wake() noexcept = 0;

  // Sends all that Send has taken and a Close frame (1000), and waits until the other side has
  // closed too, so that nothing of it is lost by hanging up. Messages that come meanwhile are
  // dropped. No Send after it. Errors as Receive.
  virtual Result<void> Close(const std::stop_token& stop, Deadline deadline) = 0;

 protected:
  WebSocket() = default;
};

}  // namespace tidewaiter::io
