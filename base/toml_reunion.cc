#include "base/toml_reunion.h"

#include <utility>

namespace tidewaiter {
namespace {

toml::table* Find(toml::table& root, const std::vector<TomlStep>& path) {
  toml::node* node = &root;
  for (const TomlStep& step : path) {
    if (const auto* key = std::get_if<std::string>(&step)) {
      node = node->is_table() ? node->as_table()->get(*key) : nullptr;
    } else {
      node = node->is_array() ? node->as_array()->get(std::get<std::size_t>(step)) : nullptr;
    }
    if (node == nullptr) return nullptr;
  }
  return node->as_table();
}

void Move(toml::table& from, toml::table& to) {
  for (auto&& [key, node] : from) {
    toml::node* const there = to.get(key.str());
    if (there == nullptr) {
      to.insert(key, std::move(node));
    } else if (there->is_table() && node.is_table()) {
      Move(*node.as_table(), *there->as_table());
    }
  }
}

void RemoveMadeUp(toml::node& node) {
  if (toml::array* array = node.as_array()) {
    for (toml::node& element : *array) RemoveMadeUp(element);
  }
  toml::table* table = node.as_table();
  if (table == nullptr) return;
  for (auto each = table->begin(); each != table->end();) {
    if (IsMadeUpTomlKey(each->first.str())) {
      each = table->erase(each);
    } else {
      RemoveMadeUp(each->second);
      ++each;
    }
  }
}

}  // namespace

void ReuniteTomlTables(toml::table& root, const std::vector<TomlStray>& strays) {
  for (const TomlStray& stray : strays) {
    toml::node* const node = root.get(stray.name);
    toml::table* const table = Find(root, stray.path);
    if (node != nullptr && node->is_table() && table != nullptr) Move(*node->as_table(), *table);
  }
  RemoveMadeUp(root);
}

}  // namespace tidewaiter
