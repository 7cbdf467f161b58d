#include "client/commands/html_text.h"

#include "client/terminal_text.h"

namespace tidewaiter::cli {

std::string HtmlText(std::string_view text, std::size_t max_bytes) {
  std::string out;
  for (const char c : client::TerminalSafe(text, max_bytes)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace tidewaiter::cli
