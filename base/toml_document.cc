#include "base/toml_document.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <exception>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/printable.h"
#include "base/toml_duplicates.h"
#include "base/toml_nesting.h"
#include "base/toml_reunion.h"
#include "base/toml_syntax_text.h"

namespace tidewaiter {
namespace {

constexpr std::size_t kMaxProblemLines = 100;

struct ProblemLine {
  std::size_t line = 0;
  std::size_t column = 0;
  std::string text;
  auto Key() const { return std::tie(line, column, text); }
};

struct OpenTable {
  const toml::table* table = nullptr;
  std::string path;
  std::set<std::string, std::less<>> asked;
};

std::string_view TypeName(toml::node_type type) noexcept {
  switch (type) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "a string";
    case toml::node_type::integer: return "an integer";
    case toml::node_type::floating_point: return "a float";
    case toml::node_type::boolean: return "a boolean";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time: return "a date or time";
    case toml::node_type::none: break;
  }
  return "nothing";
}

Error InvalidFile(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message), "INVALID_FILE");
}

std::string FormatLine(std::string_view file, std::size_t line, std::size_t column,
                       std::string_view text) {
  return fmt::format("{}:{}:{}: {}", file, std::max<std::size_t>(line, 1),
                     std::max<std::size_t>(column, 1), text);
}

std::string Join(std::string_view path, std::string_view key) {
  std::string joined(path);
  if (!joined.empty()) joined += '.';
  return joined + Printable(key);
}

std::string WrongType(std::string_view name, const toml::node& found, std::string_view expected) {
  return fmt::format("'{}' is {}: {}", name, TypeName(found.type()), expected);
}

}  // namespace

struct TomlState {
  std::string file_name;
  toml::table root;
  std::vector<OpenTable> tables;  // index 0 is the root
  std::unordered_map<const toml::table*, std::size_t> index_of;
  TomlDuplicates duplicates;
  std::vector<ProblemLine> problems;

  void Add(const toml::source_region& where, std::string text) {
    const TomlPosition at = duplicates.copy.Original({where.begin.line, where.begin.column});
    problems.push_back({at.line, at.column, std::move(text)});
  }

  // Fails where the text is no TOML, with the duplicates found all the same.
  Result<void> Parse(std::string_view text) {
    try {
      duplicates = FindTomlDuplicates(text);
      for (TomlDuplicate& each : duplicates.told) {
        problems.push_back({each.at.line, each.at.column, std::move(each.text)});
      }
      if (duplicates.copy.empty()) {
        root = toml::parse(text);
      } else {
        root = toml::parse(duplicates.copy.Text(text));
        ReuniteTomlTables(root, duplicates.strays);
      }
      return Ok();
    } catch (const toml::parse_error& error) {
      Add(error.source(), TomlSyntaxText(error.description()));
    } catch (const std::exception& error) {
      problems.push_back({1, 1, TomlSyntaxText(error.what())});
    }
    return Report();
  }

  // One line for each problem, in the order of the file.
  Result<void> Report() {
    if (problems.empty()) return Ok();
    std::sort(problems.begin(), problems.end(),
              [](const ProblemLine& a, const ProblemLine& b) { return a.Key() < b.Key(); });
    const std::size_t count = problems.size() + duplicates.untold;
    std::string message;
    for (std::size_t i = 0; i < problems.size() && i < kMaxProblemLines; ++i) {
      if (i > 0) message += '\n';
      message += FormatLine(file_name, problems[i].line, problems[i].column, problems[i].text);
    }
    if (count > kMaxProblemLines) {
      message += fmt::format("\n{}: and {} more problems", file_name, count - kMaxProblemLines);
    }
    return InvalidFile(std::move(message));
  }

  std::size_t Open(const toml::table& table, std::string path) {
    const auto [found, fresh] = index_of.try_emplace(&table, tables.size());
    if (fresh) tables.push_back({&table, std::move(path), {}});
    return found->second;
  }

  // The node of that key, which counts as asked for from now on; or null.
  const toml::node* Ask(std::size_t index, std::string_view key) {
    OpenTable& open = tables[index];
    open.asked.emplace(key);
    return open.table->get(key);
  }

  [[nodiscard]] std::string Name(std::size_t index, std::string_view key) const {
    return Join(tables[index].path, key);
  }

  // The string in `node`, or nothing and a problem.
  std::optional<std::string> ReadString(const toml::node& node, std::string_view name) {
    const toml::value<std::string>* value = node.as_string();
    if (value == nullptr) {
      Add(node.source(), WrongType(name, node, "a string in quotes"));
      return std::nullopt;
    }
    if (value->get().find('\0') != std::string::npos) {
      Add(node.source(), fmt::format("'{}' holds a NUL byte: a text without one", name));
      return std::nullopt;
    }
    return value->get();
  }

  void AddUnknownKeys() {
    for (const OpenTable& open : tables) {
      for (const auto& [key, node] : *open.table) {
        if (open.asked.contains(key.str())) continue;
        Add(key.source(),
            fmt::format("unknown key '{}': one of {}", Join(open.path, key.str()),
                        open.asked.empty() ? "no keys at all"
                                           : fmt::format("{}", fmt::join(open.asked, ", "))));
      }
    }
  }
};

const std::string& TomlTable::path() const noexcept {
  return state_->tables[index_].path;
}

bool TomlTable::Has(std::string_view key) const {
  return state_->tables[index_].table->contains(key);
}

std::vector<std::string> TomlTable::Keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, node] : *state_->tables[index_].table) keys.emplace_back(key.str());
  return keys;
}

std::optional<std::string> TomlTable::String(std::string_view key) {
  const toml::node* node = state_->Ask(index_, key);
  if (node == nullptr) return std::nullopt;
  return state_->ReadString(*node, state_->Name(index_, key));
}

std::optional<std::int64_t> TomlTable::Int(std::string_view key, std::int64_t min,
                                           std::int64_t max) {
  const toml::node* node = state_->Ask(index_, key);
  if (node == nullptr) return std::nullopt;
  const toml::value<std::int64_t>* value = node->as_integer();
  if (value == nullptr) {
    state_->Add(node->source(), WrongType(state_->Name(index_, key), *node, "an integer"));
    return std::nullopt;
  }
  if (value->get() < min || value->get() > max) {
    std::string right = fmt::format("between {} and {}", min, max);
    if (min == max) right = fmt::format("{}", min);
    if (min != kMinInt && max == kMaxInt) right = fmt::format("at least {}", min);
    if (min == kMinInt && max != kMaxInt) right = fmt::format("at most {}", max);
    state_->Add(node->source(),
                fmt::format("'{}' is {}: {}", state_->Name(index_, key), value->get(), right));
    return std::nullopt;
  }
  return value->get();
}

std::optional<bool> TomlTable::Bool(std::string_view key) {
  const toml::node* node = state_->Ask(index_, key);
  if (node == nullptr) return std::nullopt;
  const toml::value<bool>* value = node->as_boolean();
  if (value == nullptr) {
    state_->Add(node->source(), WrongType(state_->Name(index_, key), *node, "true or false"));
    return std::nullopt;
  }
  return value->get();
}

std::optional<std::vector<std::string>> TomlTable::Strings(std::string_view key) {
  const toml::node* node = state_->Ask(index_, key);
  if (node == nullptr) return std::nullopt;
  const std::string name = state_->Name(index_, key);
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    state_->Add(node->source(), WrongType(name, *node, "an array of strings"));
    return std::nullopt;
  }
  std::vector<std::string> values;
  bool sound = true;
  for (std::size_t i = 0; i < array->size(); ++i) {
    auto value = state_->ReadString(*array->get(i), fmt::format("{}[{}]", name, i));
    sound = sound && value.has_value();
    if (value) values.push_back(*std::move(value));
  }
  if (!sound) return std::nullopt;
  return values;
}

std::optional<TomlScalar> TomlTable::Scalar(std::string_view key) {
  const toml::node* node = state_->Ask(index_, key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_boolean()) return TomlScalar(value->get());
  if (const auto* value = node->as_integer()) return TomlScalar(value->get());
  if (const auto* value = node->as_floating_point()) return TomlScalar(value->get());
  const std::string name = state_->Name(index_, key);
  if (!node->is_string()) {
    state_->Add(node->source(), WrongType(name, *node, "a number or a string"));
    return std::nullopt;
  }
  auto text = state_->ReadString(*node, name);
  if (!text) return std::nullopt;
  return TomlScalar(*std::move(text));
}

std::optional<TomlTable> TomlTable::Table(std::string_view key) {
  const toml::node* node = state_->Ask(index_, key);
  if (node == nullptr) return std::nullopt;
  const std::string name = state_->Name(index_, key);
  const toml::table* table = node->as_table();
  if (table == nullptr) {
    state_->Add(node->source(), WrongType(name, *node, fmt::format("a table [{}]", name)));
    return std::nullopt;
  }
  return TomlTable(state_, state_->Open(*table, name));
}

std::vector<TomlTable> TomlTable::Tables(std::string_view key) {
  const toml::node* node = state_->Ask(index_, key);
  if (node == nullptr) return {};
  const std::string name = state_->Name(index_, key);
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    state_->Add(node->source(), WrongType(name, *node, fmt::format("tables [[{}]]", name)));
    return {};
  }
  std::vector<TomlTable> tables;
  for (std::size_t i = 0; i < array->size(); ++i) {
    const std::string element_name = fmt::format("{}[{}]", name, i);
    const toml::node& element = *array->get(i);
    if (const toml::table* table = element.as_table()) {
      tables.push_back(TomlTable(state_, state_->Open(*table, element_name)));
    } else {
      state_->Add(element.source(),
                  WrongType(element_name, element, fmt::format("a table [[{}]]", name)));
    }
  }
  return tables;
}

std::string TomlTable::RequiredString(std::string_view key) {
  if (!Has(key)) {
    state_->Ask(index_, key);
    Problem(key, fmt::format("'{}' is missing: a string", state_->Name(index_, key)));
    return {};
  }
  return String(key).value_or(std::string());
}

std::int64_t TomlTable::RequiredInt(std::string_view key, std::int64_t min, std::int64_t max) {
  if (!Has(key)) {
    state_->Ask(index_, key);
    Problem(key, fmt::format("'{}' is missing: an integer", state_->Name(index_, key)));
    return min;
  }
  return Int(key, min, max).value_or(min);
}

void TomlTable::Problem(std::string_view key, std::string text) {
  const toml::table& table = *state_->tables[index_].table;
  const toml::node* node = table.get(key);
  state_->Add(node != nullptr ? node->source() : table.source(), std::move(text));
}

void TomlTable::ElementProblem(std::string_view key, std::size_t index, std::string text) {
  const toml::table& table = *state_->tables[index_].table;
  const toml::node* node = table.get(key);
  const toml::array* array = node != nullptr ? node->as_array() : nullptr;
  if (array == nullptr || index >= array->size()) return Problem(key, std::move(text));
  state_->Add(array->get(index)->source(), std::move(text));
}

TomlDocument::TomlDocument(std::unique_ptr<TomlState> state) : state_(std::move(state)) {}
TomlDocument::TomlDocument(TomlDocument&&) noexcept = default;
TomlDocument& TomlDocument::operator=(TomlDocument&&) noexcept = default;
TomlDocument::~TomlDocument() = default;

Result<TomlDocument> TomlDocument::Parse(std::string_view text, std::string_view file_name) {
  const std::string file = Printable(file_name, 4096);
  if (text.size() > kMaxBytes) {
    return InvalidFile(FormatLine(
        file, 1, 1, fmt::format("the file has {} bytes: at most {}", text.size(), kMaxBytes)));
  }
  if (const auto deep = FindDeepNesting(text, kMaxNesting)) {
    return InvalidFile(
        FormatLine(file, deep->line, deep->column,
                   fmt::format("nested too deeply: at most {} levels", kMaxNesting)));
  }
  auto state = std::make_unique<TomlState>();
  state->file_name = file;
  if (constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
      text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  TW_TRY(state->Parse(text));
  state->Open(state->root, "");
  return TomlDocument(std::move(state));
}

TomlTable TomlDocument::Root() {
  return TomlTable(state_.get(), 0);
}

bool TomlDocument::HasProblems() const noexcept {
  return !state_->problems.empty();
}

Result<void> TomlDocument::Finish() {
  state_->AddUnknownKeys();
  return state_->Report();
}

}  // namespace tidewaiter
