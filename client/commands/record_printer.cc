#include "client/commands/record_printer.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "audit/ocsf.h"
#include "audit/record_members.h"
#include "client/commands/invocation.h"
#include "client/terminal_text.h"

namespace tidewaiter::cli {
namespace {

using audit::IntegerOf;
using audit::MemberOf;
using audit::TextOf;

// Rows come one by one, so that the widths are what is usual. The image is last: it is long.
struct Column {
  std::string_view name;
  std::size_t width;
};
constexpr std::array<Column, 7> kColumns = {{{"TIME", 19},
                                             {"INDEX", 7},
                                             {"TYPE", 17},
                                             {"RUN", 26},
                                             {"PRINCIPAL", 12},
                                             {"RESULT", 28},
                                             {"IMAGE", 0}}};
constexpr std::size_t kRunColumn = 3;
// Where a terminal is narrower, a run's id is cut: what became of it says more.
constexpr std::size_t kWideEnoughForIds = 120;
constexpr std::size_t kShortIdWidth = 10;

std::string ShortTime(std::string_view time) {
  std::string out(time.substr(0, 19));  // without fraction and zone: all are in UTC
  if (const std::size_t t = out.find('T'); t != std::string::npos) out[t] = ' ';
  return out;
}

// How a run ended, why it was denied, or what else there is to say.
std::string ResultOf(const nlohmann::json& record) {
  const nlohmann::json& outcome = MemberOf(record, "outcome");
  if (const std::string_view kind = TextOf(outcome, "kind"); !kind.empty()) {
    if (kind == "EXITED") {
      return fmt::format("{} {}", kind, IntegerOf(outcome, "exit_code").value_or(0));
    }
    const std::string_view reason = TextOf(outcome, "reason");
    return reason.empty() ? std::string(kind) : fmt::format("{} {}", kind, reason);
  }
  const nlohmann::json& violations = MemberOf(record, "violations");
  if (violations.is_array() && !violations.empty()) {
    std::string rule(TextOf(violations.front(), "rule"));
    if (violations.size() > 1) rule += fmt::format(" +{}", violations.size() - 1);
    return rule;
  }
  const nlohmann::json& archive = MemberOf(record, "archive");
  if (const std::string_view name = TextOf(archive, "name"); !name.empty()) {
    const std::string_view error = TextOf(archive, "error");
    return error.empty() ? std::string(name) : fmt::format("{}: {}", name, error);
  }
  const std::string_view cause = TextOf(MemberOf(record, "log"), "cause");
  return std::string(cause.empty() ? TextOf(record, "detail") : cause);
}

}  // namespace

RecordPrinter::RecordPrinter(RecordFormat format, const client::Terminal& terminal)
    : format_(format), terminal_(terminal) {}

std::string RecordPrinter::Text(std::string_view line) {
  if (format_ == RecordFormat::kJson) return std::string(line) + '\n';
  if (format_ == RecordFormat::kOcsf) {
    const auto event = audit::ToOcsf(line);
    if (event) return *event + '\n';
    Complain(event.error().message);
    return {};
  }
  std::string out;
  if (!began_) {
    std::string head;
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      const bool cut = i == kRunColumn && IsNarrow();
      head += client::Fit(kColumns[i].name, cut ? kShortIdWidth : kColumns[i].width);
      if (i + 1 < kColumns.size()) head += "  ";
    }
    out = terminal_.Paint(client::Style::kBold, Cut(std::move(head))) + '\n';
  }
  began_ = true;
  return out + Row(line) + '\n';
}

bool RecordPrinter::IsNarrow() const {
  const auto columns = static_cast<std::size_t>(terminal_.columns());
  return columns > 0 && columns < kWideEnoughForIds;
}

std::string RecordPrinter::Cut(std::string row) const {
  const auto columns = static_cast<std::size_t>(terminal_.columns());
  while (row.ends_with(' ')) row.pop_back();
  return columns > 0 && client::ColumnsOf(row) > columns ? client::Fit(row, columns) : row;
}

std::string RecordPrinter::Row(std::string_view line) const {
  const auto record = audit::ParseMembers(line);
  if (!record) return Cut(client::TerminalSafe(line));
  const std::string_view image = TextOf(*record, "image");
  const std::array<std::string, kColumns.size()> cells = {
      ShortTime(TextOf(*record, "time")),
      fmt::format("{}", IntegerOf(*record, "index").value_or(0)),
      std::string(TextOf(*record, "type")),
      std::string(TextOf(*record, "run_id")),
      std::string(TextOf(*record, "principal")),
      ResultOf(*record),
      std::string(image.empty() ? TextOf(*record, "requested_image") : image)};
  std::string row;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = client::TerminalSafe(cells[i]);
    const bool cut = i == kRunColumn && IsNarrow();
    const std::size_t width = cut ? kShortIdWidth : kColumns[i].width;
    // Where nothing bounds a row, nothing of it is lost.
    const bool whole =
        i + 1 == cells.size() || (terminal_.columns() == 0 && client::ColumnsOf(cell) > width);
    row += whole ? cell : client::Fit(cell, width);
    if (i + 1 < cells.size()) row += "  ";
  }
  row = Cut(std::move(row));
  const std::string_view type = TextOf(*record, "type");
  return type == "run.denied" ? terminal_.Paint(client::Style::kRed, row) : row;
}

}  // namespace tidewaiter::cli
