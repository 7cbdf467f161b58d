// A tar archive made byte by byte, so that a test can make any one wrong.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tidewaiter::testing {

struct TarFields {
  std::string name{};
  char type = '0';
  std::string mode = "0000644";
  std::optional<std::string> size{};  // the field's text; absent: of the content
  std::string link{};
  std::string magic{"ustar\00000", 8};
  std::string prefix{};
  int checksum_error = 0;
  // Texts of their fields.
  std::string uid = "0000000";
  std::string gid = "0000000";
  std::string mtime = "00000000000";
  std::string dev_major{};
  std::string dev_minor{};
};

class TarBytes {
 public:
  TarBytes& Add(const TarFields& fields, std::string_view content = {}) {
    bytes_ += Header(fields, content.size());
    bytes_ += content;
    bytes_.append((512 - content.size() % 512) % 512, '\0');
    return *this;
  }
  TarBytes& File(const std::string& name, std::string_view content = "x") {
    return Add({.name = name}, content);
  }
  TarBytes& Folder(const std::string& name) {
    return Add({.name = name, .type = '5', .mode = "0000755"});
  }
  // An extended header of that type with such records, before the next entry.
  TarBytes& Pax(std::initializer_list<std::pair<std::string, std::string>> records,
                char type = 'x') {
    std::string body;
    for (const auto& [key, value] : records) body += Record(key, value);
    return Add({.name = "PaxHeaders/x", .type = type}, body);
  }
  // GNU's long name, before the next entry.
  TarBytes& LongName(const std::string& name, char type = 'L') {
    return Add({.name = "././@LongLink", .type = type, .magic = std::string("ustar  \0", 8)},
               name + '\0');
  }
  TarBytes& Raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  // With the end marker.
  [[nodiscard]] std::string Ended() const { return bytes_ + std::string(1024, '\0'); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

  static std::string Record(const std::string& key, const std::string& value) {
    const std::size_t rest = key.size() + value.size() + 3;
    std::size_t length = rest + 1;
    while (std::to_string(length).size() + rest != length) ++length;
    return std::to_string(length) + ' ' + key + '=' + value + '\n';
  }
  static std::string Octal(std::uint64_t number, int digits = 11) {
    char text[32];
    std::snprintf(text, sizeof(text), "%0*llo", digits, static_cast<unsigned long long>(number));
    return text;
  }
  static std::string Header(const TarFields& fields, std::size_t content_size) {
    std::string block(512, '\0');
    const auto put = [&](std::size_t at, std::size_t most, const std::string& text) {
      block.replace(at, std::min(most, text.size()), text.substr(0, most));
    };
    put(0, 100, fields.name);
    put(100, 8, fields.mode);
    put(108, 8, fields.uid);
    put(116, 8, fields.gid);
    put(124, 12, fields.size.value_or(Octal(content_size)));
    put(136, 12, fields.mtime);
    put(148, 8, "        ");
    block[156] = fields.type;
    put(157, 100, fields.link);
    put(257, 8, fields.magic);
    put(329, 8, fields.dev_major);
    put(337, 8, fields.dev_minor);
    put(345, 155, fields.prefix);
    int sum = fields.checksum_error;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    put(148, 8, Octal(static_cast<std::uint64_t>(sum), 6) + std::string("\0 ", 2));
    return block;
  }

 private:
  std::string bytes_;
};

}  // namespace tidewaiter::testing
