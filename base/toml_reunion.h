// What base/toml_duplicates.h set apart comes together again in toml++'s tree, so that the keys
// under a table's second header are read as the table's own. Thread: one at a time.
#pragma once

#include <toml++/toml.h>

#include <vector>

#include "base/toml_duplicates.h"

namespace tidewaiter {

// Moves the keys of the strays to their tables, where those have none of the name, and removes
// every made-up key from the tree. Recurses with the tree's depth.
void ReuniteTomlTables(toml::table& root, const std::vector<TomlStray>& strays);

}  // namespace tidewaiter
