#include "broker/rpc/event_queue.h"

#include <algorithm>
#include <utility>

namespace tidewaiter::rpc {
namespace {

std::size_t CostOf(const v1::RunEvent& event) {
  if (event.has_output()) return event.output().data().size() + EventQueue::kEventOverhead;
  if (event.has_output_piece()) return event.ByteSizeLong() + EventQueue::kEventOverhead;
  return 0;
}

}  // namespace

void EventQueue::Push(v1::RunEvent event) {
  output_cost_ += CostOf(event);
  events_.push_back(std::move(event));
}

bool EventQueue::PushOutput(run::OutputStream stream, std::span<const std::byte> data) {
  const v1::Output::Stream which =
      stream == run::OutputStream::kStdout ? v1::Output::STDOUT : v1::Output::STDERR;
  while (!data.empty()) {
    v1::Output* last = nullptr;
    if (!events_.empty() && events_.back().has_output()) last = events_.back().mutable_output();
    if (last == nullptr || last->stream() != which || last->data().size() >= kMaxMessageBytes) {
      last = events_.emplace_back().mutable_output();
      last->set_stream(which);
      output_cost_ += kEventOverhead;
    }
    const std::size_t part = std::min(data.size(), kMaxMessageBytes - last->data().size());
    last->mutable_data()->append(reinterpret_cast<const char*>(data.data()), part);
    output_cost_ += part;
    data = data.subspan(part);
  }
  return output_cost_ < kMaxOutputBytes;
}

bool EventQueue::PushPiece(const std::string& name, std::string_view data) {
  v1::OutputPiece& piece = *events_.emplace_back().mutable_output_piece();
  piece.set_name(name);
  piece.set_data(data.data(), data.size());
  output_cost_ += CostOf(events_.back());
  return output_cost_ < kMaxOutputBytes;
}

void EventQueue::PushProgress(v1::ImageProgress progress, Clock::time_point now) {
  constexpr std::chrono::milliseconds kInterval(100);
  for (v1::RunEvent& event : events_) {
    if (event.has_image_progress() && event.image_progress().layer() == progress.layer()) {
      *event.mutable_image_progress() = std::move(progress);
      return;
    }
  }
  if (progress_waiting_ >= kMaxProgress) return;
  const auto told = told_.find(progress.layer());
  if (told == told_.end()) {
    if (told_.size() >= kMaxProgress) return;
    told_.emplace(progress.layer(), Told{progress.status(), now});
  } else {
    if (told->second.status == progress.status() && now - told->second.when < kInterval) return;
    told->second = {progress.status(), now};
  }
  *events_.emplace_back().mutable_image_progress() = std::move(progress);
  ++progress_waiting_;
}

void EventQueue::ReleaseOutput(std::optional<v1::RunEvent> event) {
  output_held_ = false;
  if (!event) return;
  const auto first_output = std::find_if(events_.begin(), events_.end(),
                                         [](const v1::RunEvent& e) { return e.has_output(); });
  events_.insert(first_output, *std::move(event));
}

bool EventQueue::Pop(v1::RunEvent& event) {
  if (events_.empty() || (output_held_ && events_.front().has_output())) return false;
  event = std::move(events_.front());
  events_.pop_front();
  output_cost_ -= CostOf(event);
  if (event.has_image_progress()) --progress_waiting_;
  return true;
}

void EventQueue::Clear() noexcept {
  events_.clear();
  output_cost_ = 0;
  progress_waiting_ = 0;
}

}  // namespace tidewaiter::rpc
