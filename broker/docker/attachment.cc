#include "broker/docker/attachment.h"

#include <utility>

namespace tidewaiter::docker {

Result<std::unique_ptr<EngineAttachment>> EngineAttachment::Open(
    io::EventLoop& loop, const std::string& unix_socket, const std::string& target,
    run::OutputSink& sink, bool with_stdin, std::function<void()> on_end,
    const run::Patience& patience) {
  auto attachment =
      std::make_unique<EngineAttachment>(OnlyOpen(), sink, with_stdin, std::move(on_end));
  EngineAttachment* self = attachment.get();
  io::DuplexStream::Callbacks callbacks;
  callbacks.on_data = [self](std::span<const std::byte> data) { return self->OnData(data); };
  callbacks.on_end = [self](std::optional<Error> error) { self->OnEnd(std::move(error)); };
  callbacks.on_room = [self] { self->OnRoom(); };
  // Whoever is slow to read learns of the end late; when it was, tells what it came with.
  callbacks.on_hang_up = [self] { self->on_end_(); };
  TW_ASSIGN(attachment->stream_,
            io::DuplexStream::Open(loop, unix_socket, target, std::move(callbacks), patience.stop,
                                   patience.deadline));
  // What arrived in between cannot be stuck: the sink answers a full queue by calling this at once
  // where there is room, and spurious calls are harmless.
  io::DuplexStream* stream = attachment->stream_.get();
  sink.SetResume([stream] { stream->Resume(); });
  stream->Resume();
  return attachment;
}

EngineAttachment::~EngineAttachment() {
  if (stream_ == nullptr) return;
  sink_.SetResume({});
  stream_.reset();
}

bool EngineAttachment::OnData(std::span<const std::byte> data) {
  bool room = true;
  const Result<void> parsed =
      frames_.Feed(data, [&](run::OutputStream stream, std::span<const std::byte> payload) {
        room = sink_.Write(stream, payload) && room;
      });
  // Nothing of a stream that is no log stream is believed or waited for.
  if (!parsed) ended_.Set(parsed.error());
  return room || !parsed;
}

void EngineAttachment::OnEnd(std::optional<Error> error) {
  if (!error) {
    if (const Result<void> whole = frames_.Finish(); !whole) error = whole.error();
  }
  ended_.Set(std::move(error));
  on_end_();
  OnRoom();  // whoever waits to write may as well stop waiting
}

void EngineAttachment::OnRoom() {
  const std::shared_ptr<const std::function<void()>> on_room = *on_room_.Lock();
  if (on_room && *on_room) (*on_room)();
}

std::size_t EngineAttachment::WriteStdin(std::span<const std::byte> data) {
  if (!with_stdin_ || ended_.Peek()) return data.size();
  return stream_->Write(data);
}

void EngineAttachment::SetOnStdinRoom(std::function<void()> on_room) {
  *on_room_.Lock() = std::make_shared<const std::function<void()>>(std::move(on_room));
}

void EngineAttachment::CloseStdin() {
  if (with_stdin_) stream_->FinishWriting();
}

}  // namespace tidewaiter::docker
