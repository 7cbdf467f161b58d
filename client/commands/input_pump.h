// Sends the archives of `run --input`, on a thread of its own, at the pace at which the broker
// unpacks them. Folders are packed on the way (extract/folder_packer.h): nothing is held whole.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "client/commands/archive_flag.h"
#include "client/run_session.h"

namespace tidewaiter::cli {

// What fills one mount, open.
struct InputSource {
  std::string name;
  std::string path;  // for messages; "-" is stdin
  UniqueFd fd;
  bool folder = false;
};

// Opens what the flags name. Errors name the flag and the path; a file is taken to be an archive,
// which the broker judges.
Result<std::vector<InputSource>> OpenInputs(const std::vector<ArchiveFlag>& inputs);

class InputPump {
 public:
  struct Events {
    // An input cannot be sent, which ends the sending: why. At most once.
    std::function<void(const std::string& message)> on_failure;
    // So many bytes of the input have been sent.
    std::function<void(const std::string& name, std::uint64_t bytes)> on_progress;
  };

  // `session` must outlive the pump. Both of `events` are called on the pump's thread.
  InputPump(std::vector<InputSource> sources, client::RunSession& session, Events events);
  InputPump(const InputPump&) = delete;
  InputPump& operator=(const InputPump&) = delete;
  // Stops reading and joins the thread; a write that waits for the broker ends when the stream
  // does, so the session must have finished or been aborted.
  ~InputPump();

  // Readable once everything is sent; valid as long as this object.
  [[nodiscard]] int sent_fd() const noexcept { return sent_.get(); }

 private:
  // False: the stream takes no more, or the pump stops.
  bool Send(const InputSource& source);
  bool SendFolder(const InputSource& source);
  bool SendFile(const InputSource& source);
  bool Write(const InputSource& source, std::string_view bytes, bool last);

  client::RunSession& session_;
  const Events events_;
  UniqueFd stop_;
  UniqueFd sent_;
  std::atomic<bool> stopping_{false};
  std::uint64_t bytes_ = 0;  // of the input under way
  std::thread thread_;
};

}  // namespace tidewaiter::cli
