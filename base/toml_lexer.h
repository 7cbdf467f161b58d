// The words of a TOML text: strings, keys and places, for readers that go over a text before
// toml++ does. They accept every TOML text and are lenient with others: toml++ has the last word.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidewaiter {

// As toml++ counts: from 1, columns in code points.
struct TomlPosition {
  std::size_t line = 1;
  std::size_t column = 1;
  friend auto operator<=>(const TomlPosition&, const TomlPosition&) = default;
};

// Tells the places of rising offsets of one text, all of them in one walk.
class TomlRuler {
 public:
  explicit TomlRuler(std::string_view text) noexcept : text_(text) {}
  // `offset`: at most the text's size, and none before the last one asked for.
  TomlPosition At(std::size_t offset) noexcept;

 private:
  std::string_view text_;
  std::size_t offset_ = 0;
  TomlPosition position_;
};

// One part of a dotted key: its name without quotes and escapes, and where it stands.
struct TomlKeyPart {
  std::string name;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// The index after the string that opens at `at`. A single-line string also ends at its line's end,
// where a parser gives up.
std::size_t SkipTomlString(std::string_view text, std::size_t at) noexcept;

// The index of the first character from `at` on that is neither space nor tab.
std::size_t SkipTomlBlanks(std::string_view text, std::size_t at) noexcept;

// The parts of the key that begins at `at`; nothing where none does, or a part is no key of TOML.
std::optional<std::vector<TomlKeyPart>> ReadTomlKey(std::string_view text, std::size_t at);

}  // namespace tidewaiter
