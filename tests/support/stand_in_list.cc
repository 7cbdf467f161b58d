#include "tests/support/stand_in_list.h"

#include <algorithm>
#include <cstdlib>

#include "tests/support/stand_in_recordings.h"

namespace tidewaiter::testing {
namespace {

using nlohmann::json;

// The one value of a filter; "" where it is not set.
std::string FilterValue(const json& filters, const char* name) {
  const auto found = filters.find(name);
  return found != filters.end() && found->size() == 1 ? found->front().get<std::string>() : "";
}

}  // namespace

void AnswerList(json all, const std::string& query, StandInConnection& connection) {
  const json filters = json::parse(PercentDecode(QueryValue(query, "filters")), nullptr, false);
  const std::string before = filters.is_object() ? FilterValue(filters, "before") : "";
  const std::string wanted = filters.is_object() ? FilterValue(filters, "id") : "";
  const std::size_t limit = std::strtoul(QueryValue(query, "limit").c_str(), nullptr, 10);
  const auto number = [](const json& container) {
    const auto id = container["Id"].get<std::string>();
    return id.substr(id.size() - 16);
  };
  std::sort(all.begin(), all.end(),
            [&](const json& a, const json& b) { return number(a) > number(b); });
  auto from = all.begin();
  if (!before.empty()) {
    from = std::find_if(all.begin(), all.end(),
                        [&](const json& container) { return container["Id"] == before; });
    if (from == all.end()) {
      connection.Answer(500, Message("no such container " + before));
      return;
    }
    ++from;
  }
  json page = json::array();
  for (; from != all.end() && (limit == 0 || page.size() < limit); ++from) {
    if (wanted.empty() || (*from)["Id"] == wanted) page.push_back(*from);
  }
  connection.Answer(200, page.dump());
}

}  // namespace tidewaiter::testing
