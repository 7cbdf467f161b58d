#include "base/toml_duplicates.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/printable.h"

namespace tidewaiter {
namespace {

using Kind = TomlNode::Kind;
using Parts = std::vector<TomlKeyPart>;

constexpr std::string_view kOneOfBoth = "one of the two";
constexpr std::string_view kOneTable = "one table with the keys of both";

std::string_view Describe(Kind kind) noexcept {
  switch (kind) {
    case Kind::kValue: return "value";
    case Kind::kArray: return "array";
    case Kind::kTables: return "array of tables";
    case Kind::kTable:
    case Kind::kImplicit:
    case Kind::kDotted: return "table";
    case Kind::kInline: return "inline table";
  }
  return "";
}

Kind KindOfValue(char first) noexcept {
  if (first == '{') return Kind::kInline;
  return first == '[' ? Kind::kArray : Kind::kValue;
}

std::string Join(const TomlNode& table, const Parts& parts) {
  std::string name = table.Name();
  for (const TomlKeyPart& part : parts) {
    if (!name.empty()) name += '.';
    name += Printable(part.name);
  }
  return name;
}

struct Header {
  Parts parts{};
  bool plural = false;  // [[x]]
  std::size_t begin = 0;
  std::size_t end = 0;
  TomlPosition place{};
};

class Search {
 public:
  explicit Search(std::string_view text) : text_(text), ruler_(text) {}

  TomlDuplicates Run() {
    while (ReadStatement()) {
    }
    return std::move(found_);
  }

 private:
  // The Read functions take what they name off the text at at_. False: it is no TOML, or the end.

  bool ReadStatement() {
    SkipSpace();
    if (at_ >= text_.size()) return false;
    if (text_[at_] != '[') return ReadPair(*table_) && ReadEndOfLine();
    const auto header = ReadHeader();
    if (header) Open(*header);
    return header.has_value();
  }

  std::optional<Header> ReadHeader() {
    Header header{.begin = at_, .place = ruler_.At(at_)};
    header.plural = text_.substr(at_, 2) == "[[";
    const std::string_view closing = header.plural ? "]]" : "]";
    auto parts = ReadTomlKey(text_, SkipTomlBlanks(text_, at_ + closing.size()));
    if (!parts) return std::nullopt;
    at_ = SkipTomlBlanks(text_, parts->back().end);
    if (text_.substr(at_, closing.size()) != closing) return std::nullopt;
    header.parts = *std::move(parts);
    header.end = at_ += closing.size();
    if (!ReadEndOfLine()) return std::nullopt;
    return header;
  }

  bool ReadPair(TomlNode& table) {
    const auto parts = ReadTomlKey(text_, at_);
    if (!parts) return false;
    const std::size_t begin = at_;
    at_ = SkipTomlBlanks(text_, parts->back().end);
    if (at_ >= text_.size() || text_[at_] != '=') return false;
    at_ = SkipTomlBlanks(text_, at_ + 1);
    if (at_ >= text_.size()) return false;
    TomlNode& node = Define(table, *parts, ruler_.At(begin));
    if (!ReadValue(node)) return false;
    if (node.kind == Kind::kArray && !node.tables_only &&
        node.parent->Find(parts->back().name) == &node) {
      node.parent->tables_only = false;
    }
    return true;
  }

  bool ReadValue(TomlNode& node) {
    switch (text_[at_]) {
      case '"':
      case '\'': at_ = SkipTomlString(text_, at_); return true;
      case '[': return ReadArray(node);
      case '{': return ReadInlineTable(node);
      default: break;
    }
    // Nothing that could hide a bracket from FindDeepNesting, which bounds the recursion.
    const std::size_t begin = at_;
    const auto belongs = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
             std::string_view("+-.:_ \t").find(c) != std::string_view::npos;
    };
    while (at_ < text_.size() && belongs(text_[at_])) ++at_;
    return at_ > begin;
  }

  bool ReadArray(TomlNode& array) {
    ++at_;
    array.tables_only = true;
    for (std::size_t index = 0;; ++index) {
      SkipSpace();
      if (at_ >= text_.size()) return false;
      if (text_[at_] == ']') {
        ++at_;
        if (index == 0) array.tables_only = false;
        return true;
      }
      const Kind kind = KindOfValue(text_[at_]);
      if (kind != Kind::kInline) array.tables_only = false;
      TomlNode element{.kind = kind, .parent = &array, .step = index, .first = array.first};
      element.section = section_;
      if (!ReadValue(kind == Kind::kValue ? array : tree_.Add(std::move(element)))) return false;
      SkipSpace();
      if (at_ >= text_.size()) return false;
      if (text_[at_] == ',') {
        ++at_;
      } else if (text_[at_] != ']') {
        return false;
      }
    }
  }

  bool ReadInlineTable(TomlNode& table) {
    ++at_;
    while (true) {
      at_ = SkipTomlBlanks(text_, at_);
      if (at_ < text_.size() && text_[at_] == '}') {
        ++at_;
        return true;
      }
      if (!ReadPair(table)) return false;
      at_ = SkipTomlBlanks(text_, at_);
      if (at_ < text_.size() && text_[at_] == ',') {
        ++at_;
      } else if (at_ >= text_.size() || text_[at_] != '}') {
        return false;
      }
    }
  }

  bool ReadEndOfLine() {
    at_ = SkipTomlBlanks(text_, at_);
    SkipComment();
    return at_ >= text_.size() || SkipLineBreak();
  }

  void SkipSpace() {
    do {
      at_ = SkipTomlBlanks(text_, at_);
      SkipComment();
    } while (SkipLineBreak());
  }

  void SkipComment() {
    if (at_ >= text_.size() || text_[at_] != '#') return;
    at_ = std::min(text_.find('\n', at_), text_.size());
  }

  bool SkipLineBreak() {
    const std::string_view rest = text_.substr(at_, 2);
    const std::size_t length = rest == "\r\n" ? 2 : rest.substr(0, 1) == "\n" ? 1 : 0;
    at_ += length;
    return length != 0;
  }

  // Makes table_ the table that the header means.
  void Open(const Header& header) {
    ++section_;
    again_ = false;
    TomlNode* node = &tree_.root();
    const std::size_t last = header.parts.size() - 1;
    for (std::size_t i = 0; i < last; ++i) {
      TomlNode* child = node->Find(header.parts[i].name);
      if (child == nullptr) {
        child = &Add(Kind::kImplicit, *node, header.parts[i].name, header.place);
      }
      if (child->kind == Kind::kTables) child = child->last;
      if (!child->IsTable()) return Block(header, i, *child);
      if (child->kind == Kind::kInline) Extend(header, i, *child);
      node = child;
    }
    TomlNode* const child = node->Find(header.parts[last].name);
    if (child == nullptr) {
      const Kind kind = header.plural ? Kind::kTables : Kind::kTable;
      table_ = &Add(kind, *node, header.parts[last].name, header.place);
      if (header.plural) table_ = &tree_.AddElement(*table_, header.place, section_);
    } else if (child->kind == Kind::kTables) {
      if (!header.plural) Pluralise(header, *child);
      table_ = &tree_.AddElement(*child, header.place, section_);
    } else if (!child->IsTable()) {
      Block(header, last, *child);
    } else {
      if (child->kind == Kind::kImplicit && child->tables_only && !header.plural) {
        child->kind = Kind::kTable;
        child->first = header.place;
      } else {
        Extend(header, last, *child);
      }
      table_ = child;
    }
  }

  // The header is another one of that table, and what follows belongs to it all the same.
  void Extend(const Header& header, std::size_t index, const TomlNode& table) {
    if (again_) return;
    again_ = true;
    TellHeader(header, index, table, kOneTable);
    found_.strays.push_back({fmt::format("{}{}", '\0', made_up_), table.Path()});
    Rename(header, index);
  }

  // The header wants a table where there is none: no one reads what follows.
  void Block(const Header& header, std::size_t index, TomlNode& other) {
    if (!again_) {
      TellHeader(header, index, other, kOneOfBoth);
      Rename(header, index);
    }
    TomlNode* table = other.parent;
    for (std::size_t i = index; i < header.parts.size(); ++i) {
      table = &tree_.Add({.kind = Kind::kTable,
                          .parent = table,
                          .step = header.parts[i].name,
                          .first = header.place,
                          .section = section_});
    }
    table_ = table;
  }

  // [x] among [[x]] means one more of them, most likely.
  void Pluralise(const Header& header, const TomlNode& tables) {
    if (again_) return;
    TellHeader(header, header.parts.size() - 1, tables,
               fmt::format("[[{}]]", Join(tree_.root(), header.parts)));
    found_.copy.Replace(text_, header.begin, header.begin, header.place, "[");
    found_.copy.Replace(text_, header.end, header.end, ruler_.At(header.end), "]");
  }

  // The header up to that part becomes one of the copy's own.
  void Rename(const Header& header, std::size_t index) {
    const bool last = index + 1 == header.parts.size();
    const std::string name = MakeUpName();
    const std::size_t end = last ? header.end : header.parts[index].end;
    found_.copy.Replace(
        text_, header.begin, end, header.place,
        last ? fmt::format("[{}]", name) : fmt::format("{}{}", header.plural ? "[[" : "[", name));
  }

  // The node of a key of `table`, which is a child of it where it is the first of its name.
  TomlNode& Define(TomlNode& table, const Parts& parts, TomlPosition place) {
    const Kind kind = KindOfValue(text_[at_]);
    TomlNode* node = &table;
    TomlNode* other = nullptr;
    for (std::size_t i = 0; i + 1 < parts.size() && other == nullptr; ++i) {
      TomlNode* const child = node->Find(parts[i].name);
      if (child == nullptr) {
        node = &Add(Kind::kDotted, *node, parts[i].name, place);
      } else if (child->kind == Kind::kDotted || child->kind == Kind::kImplicit) {
        node = child;
      } else {
        other = child;
      }
    }
    if (other == nullptr) other = node->Find(parts.back().name);
    if (other == nullptr) return Add(kind, *node, parts.back().name, place);
    // A table's second header was told; its keys that the first one has are no news.
    if (!again_ || other->section == section_) TellKey(table, parts, *other, place);
    other->section = section_;
    found_.copy.Replace(text_, parts.front().begin, parts.back().end, place, MakeUpName());
    return tree_.Add({.kind = kind,
                      .parent = node,
                      .step = parts.back().name,
                      .first = place,
                      .section = section_});
  }

  TomlNode& Add(Kind kind, TomlNode& parent, const std::string& name, TomlPosition place) {
    return tree_.AddChild(
        {.kind = kind, .parent = &parent, .step = name, .first = place, .section = section_});
  }

  std::string MakeUpName() { return fmt::format("\"\\u0000{}\"", made_up_++); }

  // `other` is what stands where the part `index` of the header is.
  void TellHeader(const Header& header, std::size_t index, const TomlNode& other,
                  std::string_view right) {
    if (!HasRoom()) return;
    const std::string name = Join(tree_.root(), header.parts);
    const bool last = index + 1 == header.parts.size();
    if (last && other.kind == Kind::kTable && !header.plural) {
      return Tell(header.place, fmt::format("duplicate table [{}], first in line {}: {}", name,
                                            other.first.line, right));
    }
    Tell(header.place, fmt::format("{}{}{} redefines the {} '{}' of line {}: {}",
                                   header.plural ? "[[" : "[", name, header.plural ? "]]" : "]",
                                   Describe(other.kind), other.Name(), other.first.line, right));
  }

  void TellKey(const TomlNode& table, const Parts& parts, const TomlNode& other,
               TomlPosition place) {
    if (!HasRoom()) return;
    const std::string name = Join(table, parts);
    const bool same = name == other.Name();
    Tell(place,
         same ? fmt::format("duplicate key '{}', first in line {}: {}", name, other.first.line,
                            kOneOfBoth)
              : fmt::format("key '{}' redefines the {} '{}' of line {}: {}", name,
                            Describe(other.kind), other.Name(), other.first.line, kOneOfBoth));
  }

  // Whether there is room for one more to tell; if not, it is counted.
  bool HasRoom() {
    if (found_.told.size() < TomlDuplicates::kMaxTold) return true;
    ++found_.untold;
    return false;
  }

  void Tell(TomlPosition place, std::string text) {
    found_.told.push_back({place, std::move(text)});
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  TomlRuler ruler_;
  TomlTree tree_;
  TomlNode* table_ = &tree_.root();  // that of the last header
  std::size_t section_ = 0;
  bool again_ = false;  // the last header was another one of its table
  std::size_t made_up_ = 0;
  TomlDuplicates found_;
};

}  // namespace

TomlDuplicates FindTomlDuplicates(std::string_view text) {
  return Search(text).Run();
}

bool IsMadeUpTomlKey(std::string_view name) noexcept {
  return !name.empty() && name.front() == '\0';
}

}  // namespace tidewaiter
