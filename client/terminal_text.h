// Text that a broker, an engine or a registry controls, made fit for a terminal: nothing of it may
// move the cursor, hide a line or reverse the order of reading. The job's own output never passes
// through here. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidewaiter::client {

// One line: control characters (line breaks too), bidirectional controls and bytes that are not
// UTF-8 become \xNN. Unlike base's Printable, quotes and backslashes stay, since the broker's
// messages are already escaped once. Cut with "..." after about `max_bytes`.
std::string TerminalSafe(std::string_view text, std::size_t max_bytes = 4096);

// Characters, where each takes one column.
std::size_t ColumnsOf(std::string_view utf8) noexcept;

// `text` broken at spaces into lines of at most `columns` (a longer word keeps a line of its own),
// each after the first preceded by `indent` spaces. `columns` 0: not broken.
std::string Wrap(std::string_view text, std::size_t columns, std::size_t indent);

// `text` padded with spaces to `columns`, or cut to it with "..." where `columns` is at least 4.
std::string Fit(std::string_view text, std::size_t columns);

}  // namespace tidewaiter::client
