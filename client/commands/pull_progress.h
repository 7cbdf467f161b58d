// The bars of an image pull, one line per layer, redrawn in place. Pure: returns what is to be
// written to the terminal. Thread: one.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "client/terminal.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::cli {

class PullProgress {
 public:
  // Lines drawn at once; the newest layers come first to be left out.
  static constexpr std::size_t kMaxLines = 12;

  explicit PullProgress(const client::Terminal& terminal) : terminal_(terminal) {}

  // Takes in one event; the text replaces what was drawn before. Empty where nothing changed.
  std::string Update(const v1::ImageProgress& progress);
  // Removes the bars from the screen and forgets them. Empty where there are none.
  std::string Clear();

 private:
  [[nodiscard]] std::string Line(const v1::ImageProgress& layer) const;
  [[nodiscard]] std::string Erase() const;

  client::Terminal terminal_;
  std::vector<v1::ImageProgress> layers_;
  std::size_t drawn_ = 0;
};

}  // namespace tidewaiter::cli
