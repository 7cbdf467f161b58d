// A strict reader of TOML files. It collects *every* problem of a file before it reports, each as
//   file:line:column: what: what would be right
// so that an operator repairs a file once. A key that no one asked for is a problem: a misspelt
// limit must not silently be no limit. So is a key or a table that is defined twice; the rest of
// the file is read all the same (base/toml_duplicates.h).
//
//   TW_ASSIGN(TomlDocument document, TomlDocument::Parse(text, "policy.toml"));
//   TomlTable root = document.Root();
//   root.RequiredInt("version", 1, 1);
//   std::string socket = root.String("socket").value_or("/run/x.sock");
//   if (std::optional<TomlTable> docker = root.Table("docker")) { ... docker->String("socket") ...
//   } for (TomlTable& principal : root.Tables("principal")) { ... principal.RequiredString("name")
//   ... } if (bad) root.Problem("socket", "relative socket path: an absolute path");
//   TW_TRY(document.Finish());
//
// Accessors return nothing where the key is absent *or* its value is a problem; Finish() tells the
// two apart. Thread: one at a time. No exception of the TOML library leaves this file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace tidewaiter {

struct TomlState;

using TomlScalar = std::variant<bool, std::int64_t, double, std::string>;

// One table of a document: a cheap handle, valid as long as its document.
class TomlTable {
 public:
  static constexpr std::int64_t kMinInt = std::numeric_limits<std::int64_t>::min();
  static constexpr std::int64_t kMaxInt = std::numeric_limits<std::int64_t>::max();

  // Dotted path of the table in the file ("limits.memory", "images.allow[1]"); empty for the root.
  [[nodiscard]] const std::string& path() const noexcept;

  // Whether the key is there, of whatever type. Does not count as asking for it.
  [[nodiscard]] bool Has(std::string_view key) const;
  // Every key, sorted. Does not count as asking for them.
  [[nodiscard]] std::vector<std::string> Keys() const;

  // Optional values. A wrong type, a string with a NUL byte, or a number out of range is a problem.
  std::optional<std::string> String(std::string_view key);
  std::optional<std::int64_t> Int(std::string_view key, std::int64_t min = kMinInt,
                                  std::int64_t max = kMaxInt);
  std::optional<bool> Bool(std::string_view key);
  std::optional<std::vector<std::string>> Strings(std::string_view key);
  // Any scalar but dates and times, for keys that take "2GiB" as well as 2147483648.
  std::optional<TomlScalar> Scalar(std::string_view key);
  std::optional<TomlTable> Table(std::string_view key);
  // An array of tables, [[key]] or inline; empty where absent.
  std::vector<TomlTable> Tables(std::string_view key);

  // The same, and absence is a problem. They return "" or `min` then, so that reading can go on.
  std::string RequiredString(std::string_view key);
  std::int64_t RequiredInt(std::string_view key, std::int64_t min = kMinInt,
                           std::int64_t max = kMaxInt);

  // Notes a problem at the key (at the table where the key is absent). `text` is `what: what would
  // be right`.
  void Problem(std::string_view key, std::string text);
  // Notes a problem at element `index` of the array `key`.
  void ElementProblem(std::string_view key, std::size_t index, std::string text);

 private:
  friend class TomlDocument;
  TomlTable(TomlState* state, std::size_t index) : state_(state), index_(index) {}

  TomlState* state_;
  std::size_t index_;
};

class TomlDocument {
 public:
  static constexpr std::size_t kMaxBytes = 1U << 20U;
  static constexpr std::size_t kMaxNesting = 32;

  // Parses `text` (at most kMaxBytes, at most kMaxNesting levels of tables and arrays). `file_name`
  // is used in messages only. Errors: INVALID_ARGUMENT, reason INVALID_FILE, one `file:line:column:
  // ...` line for what is no TOML, and where that is its syntax one for each key or table that was
  // found defined twice.
  static Result<TomlDocument> Parse(std::string_view text, std::string_view file_name);

  TomlDocument(TomlDocument&&) noexcept;
  TomlDocument& operator=(TomlDocument&&) noexcept;
  ~TomlDocument();

  [[nodiscard]] TomlTable Root();
  // Whether any problem was noted so far (unknown keys are found by Finish only).
  [[nodiscard]] bool HasProblems() const noexcept;

  // Adds every key that was never asked for, and fails where there is any problem:
  // INVALID_ARGUMENT, reason INVALID_FILE, one line per problem in the order of the file (at most
  // 100 lines; the rest is counted).
  Result<void> Finish();

 private:
  explicit TomlDocument(std::unique_ptr<TomlState> state);
  std::unique_ptr<TomlState> state_;
};

}  // namespace tidewaiter
