#include "extract/path_set.h"

#include <functional>

namespace tidewaiter::extract {

PathKind* PathSet::Find(std::string_view path) {
  const auto found = kinds_.find(std::hash<std::string_view>()(path));
  return found != kinds_.end() ? &found->second : nullptr;
}

void PathSet::Add(std::string_view path, PathKind kind) {
  kinds_.insert_or_assign(std::hash<std::string_view>()(path), kind);
}

}  // namespace tidewaiter::extract
