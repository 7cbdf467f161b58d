// Records of the audit log as lines of text, one record at a time. What a stranger chose, such as
// an image's name, cannot steer the terminal from a table. Thread: one at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "client/terminal.h"

namespace tidewaiter::cli {

enum class RecordFormat {
  kTable,  // a row of columns, cut to the terminal's width
  kJson,   // the line as it stands in the log
  kOcsf,   // an event of the Open Cybersecurity Schema Framework, one line of JSON
};

class RecordPrinter {
 public:
  RecordPrinter(RecordFormat format, const client::Terminal& terminal);

  // The record of that line, with a line feed; of a table the first with its head.
  std::string Text(std::string_view line);

 private:
  std::string Row(std::string_view line) const;
  std::string Cut(std::string row) const;
  [[nodiscard]] bool IsNarrow() const;

  RecordFormat format_;
  client::Terminal terminal_;
  bool began_ = false;
};

}  // namespace tidewaiter::cli
