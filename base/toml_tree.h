// The names that a TOML text defines, with where and how, but not their values: enough to tell
// which of them it defines twice (base/toml_duplicates.h). Thread: one at a time.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/toml_lexer.h"

namespace tidewaiter {

// From a table to what is in it: by key, or by index of an array.
using TomlStep = std::variant<std::string, std::size_t>;

struct TomlNode {
  enum class Kind {
    kValue,     // no table, no array
    kArray,     // [1, 2]
    kTables,    // [[x]]
    kTable,     // [x], an element of [[x]], the root
    kImplicit,  // x of [x.y]
    kDotted,    // x of x.y = 1
    kInline,    // x = {}
  };

  Kind kind = Kind::kTable;
  TomlNode* parent = nullptr;  // null: the root
  TomlStep step{};             // from `parent`
  TomlPosition first;          // where it was defined
  std::size_t section = 0;     // under which header of the text, counted from 0
  std::map<std::string, TomlNode*, std::less<>> children{};
  TomlNode* last = nullptr;  // element of kTables
  bool tables_only =
      true;  // of a table: no child but tables and arrays of them; of kArray: it is one

  [[nodiscard]] bool IsTable() const noexcept { return kind >= Kind::kTable; }
  [[nodiscard]] TomlNode* Find(std::string_view key) const;
  // "images.allow[1].versions", cut at its beginning where it is long.
  [[nodiscard]] std::string Name() const;
  // From the root.
  [[nodiscard]] std::vector<TomlStep> Path() const;
};

class TomlTree {
 public:
  TomlTree();
  [[nodiscard]] TomlNode& root() noexcept { return nodes_.front(); }

  // A node that is no one's child: a second definition, or an element of an array.
  TomlNode& Add(TomlNode node);
  // The same as the child of node.parent by that key, which must have none of it.
  TomlNode& AddChild(TomlNode node);
  // A new element of a kTables node.
  TomlNode& AddElement(TomlNode& tables, TomlPosition at, std::size_t section);

 private:
  std::deque<TomlNode> nodes_;
};

}  // namespace tidewaiter
