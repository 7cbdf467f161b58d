// Reads what journald would of a message in its native protocol, as the documented format says.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tidewaiter::testing {

// Nothing where it is no such message, or names a field twice.
inline std::optional<std::map<std::string, std::string>> JournalFields(std::string_view message) {
  std::map<std::string, std::string> fields;
  while (!message.empty()) {
    const std::size_t end = message.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = message.substr(0, end);
    message.remove_prefix(end + 1);
    std::string name(line.substr(0, line.find('=')));
    std::string value;
    if (name.size() < line.size()) {
      value = line.substr(name.size() + 1);
    } else {
      if (message.size() < 8) return std::nullopt;
      std::uint64_t size = 0;
      for (std::size_t i = 8; i-- > 0;) {
        size = (size << 8U) | static_cast<unsigned char>(message[i]);
      }
      message.remove_prefix(8);
      if (size >= message.size() || message[size] != '\n') return std::nullopt;
      value = message.substr(0, size);
      message.remove_prefix(size + 1);
    }
    if (name.empty() || name.size() > 64 ||
        name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != std::string::npos ||
        name.front() == '_' || !fields.emplace(std::move(name), std::move(value)).second) {
      return std::nullopt;
    }
  }
  return fields;
}

}  // namespace tidewaiter::testing
