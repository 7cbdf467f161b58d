#include "base/toml_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/printable.h"

namespace tidewaiter {

TomlNode* TomlNode::Find(std::string_view key) const {
  const auto found = children.find(key);
  return found == children.end() ? nullptr : found->second;
}

std::string TomlNode::Name() const {
  // A text of 1 MiB can nest names of any length; a message shows the end of such a path.
  constexpr std::size_t kMaxName = 400;
  std::string name;
  for (const TomlNode* node = this; node->parent != nullptr; node = node->parent) {
    if (name.size() > kMaxName) return "..." + name;
    const auto* key = std::get_if<std::string>(&node->step);
    std::string part =
        key != nullptr ? Printable(*key) : fmt::format("[{}]", std::get<std::size_t>(node->step));
    if (!name.empty() && name.front() != '[') part += '.';
    name.insert(0, part);
  }
  return name;
}

std::vector<TomlStep> TomlNode::Path() const {
  std::vector<TomlStep> path;
  for (const TomlNode* node = this; node->parent != nullptr; node = node->parent) {
    path.push_back(node->step);
  }
  std::reverse(path.begin(), path.end());
  return path;
}

TomlTree::TomlTree() {
  nodes_.emplace_back();
}

TomlNode& TomlTree::Add(TomlNode node) {
  return nodes_.emplace_back(std::move(node));
}

TomlNode& TomlTree::AddChild(TomlNode node) {
  TomlNode& added = Add(std::move(node));
  added.parent->children.emplace(std::get<std::string>(added.step), &added);
  if (added.kind == TomlNode::Kind::kValue) added.parent->tables_only = false;
  return added;
}

TomlNode& TomlTree::AddElement(TomlNode& tables, TomlPosition at, std::size_t section) {
  const std::size_t index =
      tables.last == nullptr ? 0 : std::get<std::size_t>(tables.last->step) + 1;
  tables.last = &Add({.kind = TomlNode::Kind::kTable,
                      .parent = &tables,
                      .step = index,
                      .first = at,
                      .section = section});
  return *tables.last;
}

}  // namespace tidewaiter
