#include "client/violation_text.h"

#include <fmt/format.h>

#include <string_view>

#include "client/terminal_text.h"

namespace tidewaiter::client {
namespace {

constexpr std::size_t kIndent = 10;  // "  remedy  "

void AppendPart(std::string& out, std::string_view label, std::string_view text,
                const Terminal& terminal) {
  if (text.empty()) return;
  out += "  " + terminal.Paint(Style::kDim, Fit(label, kIndent - 4)) + "  ";
  out += Wrap(TerminalSafe(text), static_cast<std::size_t>(terminal.columns()), kIndent);
  out += '\n';
}

}  // namespace

std::string ViolationsText(const google::protobuf::RepeatedPtrField<v1::Violation>& violations,
                           const Terminal& terminal) {
  std::string out;
  for (const v1::Violation& violation : violations) {
    const std::string field = violation.field().empty() ? "spec" : TerminalSafe(violation.field());
    const std::string rule = "(" + TerminalSafe(violation.rule()) + ")";
    out += '\n' + terminal.Paint(Style::kBold, field) + "  " + terminal.Paint(Style::kDim, rule);
    out += '\n';
    AppendPart(out, "why", violation.message(), terminal);
    AppendPart(out, "remedy", violation.remedy(), terminal);
  }
  return out;
}

std::string DenialText(const v1::Denied& denied, const Terminal& terminal) {
  const int count = denied.violations_size();
  return fmt::format("{} by policy '{}': {} violation{}\n", terminal.Paint(Style::kRed, "denied"),
                     TerminalSafe(denied.policy()), count, count == 1 ? "" : "s") +
         ViolationsText(denied.violations(), terminal);
}

}  // namespace tidewaiter::client
