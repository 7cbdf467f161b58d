// A text that is wiped when it is let go, so that no later reader of this memory (a core file, a
// bug elsewhere) finds a key in it. One thread.
#pragma once

#include <openssl/crypto.h>

#include <string>
#include <string_view>
#include <utility>

namespace tidewaiter::audit {

// Empties `text` and overwrites all of its buffer, in a way that no compiler leaves out for being
// the last thing done to it. What it held while it was moved (a short string is copied by that) or
// while it grew is elsewhere.
inline void Wipe(std::string& text) noexcept {
  text.resize(text.capacity());  // within the capacity: does not allocate
  ::OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::string text) noexcept : text_(std::move(text)) {}
  SecretText(SecretText&& other) noexcept : text_(std::move(other.text_)) { Wipe(other.text_); }
  SecretText& operator=(SecretText&& other) noexcept {
    if (this == &other) return *this;
    Wipe(text_);
    text_ = std::move(other.text_);
    Wipe(other.text_);
    return *this;
  }
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { Wipe(text_); }

  // Valid while it lives and is not moved from.
  [[nodiscard]] std::string_view view() const noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace tidewaiter::audit
