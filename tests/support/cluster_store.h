// The objects of a stand-in cluster and all that ever happened to them, as etcd and the API server
// keep them: versions that only grow, lists in pages, and changes that can be asked for from any
// version on that is not forgotten. Not thread-safe: its owner's lock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace tidewaiter::testing {

// A label selector: "name=value" or "name", several with commas between them.
class LabelSelector {
 public:
  explicit LabelSelector(const std::string& text);
  [[nodiscard]] bool Selects(const nlohmann::json& metadata) const;

 private:
  struct Term {
    std::string name;
    std::string value;
    bool any = false;  // of any value
  };
  std::vector<Term> terms_;
};

class ClusterStore {
 public:
  using Json = nlohmann::json;
  struct Change {
    std::uint64_t version = 0;
    std::string plural;
    Json metadata;
    std::string line;  // as a watch tells it
  };

  std::string NewUid();
  // With its name and namespace in it; gives it what it lacks of uid, creationTimestamp and
  // resourceVersion.
  Json& Add(const std::string& plural, Json object);
  // Null where there is none.
  Json* Find(const std::string& plural, const std::string& name);
  Json* FindUid(const std::string& plural, const std::string& uid);
  // After the object was changed in its place.
  void Changed(const std::string& plural, Json& object);
  void Remove(const std::string& plural, const std::string& name);
  void ForEach(const std::string& plural, const std::function<void(Json&)>& visit);
  [[nodiscard]] std::size_t Count(const std::string& plural) const;

  // GET of a collection: at most `limit` (0: no bound) after `token`.
  [[nodiscard]] Json List(const std::string& plural, const LabelSelector& selector,
                          std::size_t limit, const std::string& token) const;
  // False: what came after `version` is forgotten. Else appends the lines of what is selected and
  // moves `version` to the last change of all.
  bool Since(std::uint64_t& version, const std::string& plural, const LabelSelector& selector,
             std::string& lines) const;
  // As by a compaction: no watch can begin before now.
  void Forget();
  [[nodiscard]] std::uint64_t version() const { return version_; }

 private:
  void Tell(const std::string& plural, const char* type, const Json& object);

  std::map<std::string, std::map<std::string, Json>> objects_;  // by plural and name
  std::deque<Change> changes_;
  std::uint64_t version_ = 1000;
  std::uint64_t forgotten_ = 1000;  // the last version whose changes are no longer told
  std::uint64_t next_uid_ = 1;
};

// The apiVersion of a plural, and its kind.
const char* ApiVersionOf(const std::string& plural);
const char* KindNameOf(const std::string& plural);

// "2026-11-23T15:26:55Z", so long from now.
std::string ClusterTime(std::chrono::seconds later = std::chrono::seconds(0));

}  // namespace tidewaiter::testing
