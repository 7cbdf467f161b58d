// Text that strangers chose, made fit for an HTML page: nothing of it is markup, ends an attribute,
// or reverses the order of reading. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidewaiter::cli {

// For an element's content or an attribute in quotes. Control characters, bidirectional controls
// and bytes that are not UTF-8 become \xNN. Cut with "..." after about `max_bytes`.
std::string HtmlText(std::string_view text, std::size_t max_bytes = 1024);

}  // namespace tidewaiter::cli
