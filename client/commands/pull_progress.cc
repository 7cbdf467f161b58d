#include "client/commands/pull_progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/commands/quantity_text.h"
#include "client/terminal_text.h"

namespace tidewaiter::cli {
namespace {

constexpr std::size_t kLayerColumns = 12;
constexpr std::size_t kBarColumns = 24;
constexpr std::size_t kMaxLayers = 256;

std::string Bar(std::int64_t current, std::int64_t total) {
  const double share =
      std::clamp(static_cast<double>(current) / static_cast<double>(total), 0.0, 1.0);
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(kBarColumns));
  return '[' + std::string(filled, '=') + std::string(kBarColumns - filled, ' ') + ']';
}

}  // namespace

std::string PullProgress::Update(const v1::ImageProgress& progress) {
  // The engine's remark at the start, which stands under the repository's name and is no layer.
  if (progress.layer().empty() || progress.status().starts_with("Pulling from ")) return {};
  const auto known = std::find_if(layers_.begin(), layers_.end(), [&](const auto& layer) {
    return layer.layer() == progress.layer();
  });
  if (known != layers_.end()) {
    *known = progress;
  } else if (layers_.size() < kMaxLayers) {
    layers_.push_back(progress);
  }
  std::string out = Erase();
  drawn_ = std::min(layers_.size(), kMaxLines);
  for (std::size_t i = 0; i < drawn_; ++i) out += Line(layers_[i]) + '\n';
  if (layers_.size() > drawn_) {
    out += fmt::format("and {} more layers\n", layers_.size() - drawn_);
    ++drawn_;
  }
  return out;
}

std::string PullProgress::Clear() {
  std::string out = Erase();
  drawn_ = 0;
  layers_.clear();
  return out;
}

std::string PullProgress::Line(const v1::ImageProgress& layer) const {
  std::string line = client::Fit(client::TerminalSafe(layer.layer()), kLayerColumns) + "  " +
                     client::Fit(client::TerminalSafe(layer.status()), 18);
  if (layer.total_bytes() > 0) {
    line += ' ' + Bar(layer.current_bytes(), layer.total_bytes()) + ' ' +
            FormatBytes(layer.current_bytes()) + " of " + FormatBytes(layer.total_bytes());
  }
  // A line that wraps would leave its rest on the screen when it is drawn again.
  const auto columns = static_cast<std::size_t>(terminal_.columns());
  return client::ColumnsOf(line) >= columns ? client::Fit(line, columns - 1) : line;
}

std::string PullProgress::Erase() const {
  // ECMA-48 CPL (to the start of the line, so many up) and ED (erase to the end).
  return drawn_ == 0 ? std::string() : fmt::format("\x1b[{}F\x1b[J", drawn_);
}

}  // namespace tidewaiter::cli
