// The streams of one container: the engine's raw connection on one side, the run's OutputSink and
// its client's stdin on the other. Output is parsed and handed on in place on the loop's thread; a
// sink that is full stops the reading, which reaches the container through the engine's pipes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/guarded.h"
#include "base/result.h"
#include "broker/docker/log_frames.h"
#include "broker/io/duplex_stream.h"
#include "broker/io/event_loop.h"
#include "broker/run/backend.h"

namespace tidewaiter::docker {

class EngineAttachment final : public run::Attachment {
  struct OnlyOpen {};  // keeps the constructor to Open()

 public:
  EngineAttachment(OnlyOpen, run::OutputSink& sink, bool with_stdin, std::function<void()> on_end)
      : sink_(sink), with_stdin_(with_stdin), on_end_(std::move(on_end)) {}
  // Connects to `target` (EngineApi::AttachTarget) and blocks until the engine has attached.
  // `on_end`: called on the loop's thread when the engine's side has ended: once, or twice where
  // that is before the last of the output has been read, and then.
  static Result<std::unique_ptr<EngineAttachment>> Open(io::EventLoop& loop,
                                                        const std::string& unix_socket,
                                                        const std::string& target,
                                                        run::OutputSink& sink, bool with_stdin,
                                                        std::function<void()> on_end,
                                                        const run::Patience& patience);
  ~EngineAttachment() override;

  Completion<std::optional<Error>>& ended() override { return ended_; }
  std::size_t WriteStdin(std::span<const std::byte> data) override;
  // Called on the loop's thread, possibly once more while it is being replaced.
  void SetOnStdinRoom(std::function<void()> on_room) override;
  void CloseStdin() override;

 private:
  bool OnData(std::span<const std::byte> data);
  void OnEnd(std::optional<Error> error);
  void OnRoom();

  run::OutputSink& sink_;
  const bool with_stdin_;
  const std::function<void()> on_end_;
  LogFrames frames_;  // loop's thread only
  Completion<std::optional<Error>> ended_;
  Guarded<std::shared_ptr<const std::function<void()>>> on_room_;
  std::unique_ptr<io::DuplexStream> stream_;  // last: goes first, and nothing is called afterwards
};

}  // namespace tidewaiter::docker
