#include "tests/support/cluster_store.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

namespace tidewaiter::testing {

using nlohmann::json;

namespace {

// What a watch may be behind; a real server keeps about as much.
constexpr std::size_t kMostChanges = 20000;

struct Names {
  const char* plural;
  const char* api_version;
  const char* kind;
};
constexpr std::array kNames{Names{"jobs", "batch/v1", "Job"}, Names{"pods", "v1", "Pod"},
                            Names{"secrets", "v1", "Secret"}, Names{"events", "v1", "Event"},
                            Names{"networkpolicies", "networking.k8s.io/v1", "NetworkPolicy"}};

const Names& NamesOf(const std::string& plural) {
  for (const Names& names : kNames) {
    if (plural == names.plural) return names;
  }
  return kNames.front();
}

}  // namespace

const char* ApiVersionOf(const std::string& plural) {
  return NamesOf(plural).api_version;
}

const char* KindNameOf(const std::string& plural) {
  return NamesOf(plural).kind;
}

std::string ClusterTime(std::chrono::seconds later) {
  using Clock = std::chrono::system_clock;
  const std::time_t now = Clock::to_time_t(Clock::now() + later);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {text.data(), length};
}

LabelSelector::LabelSelector(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string term = text.substr(at, end - at);
    const std::size_t equals = term.find('=');
    terms_.push_back({.name = term.substr(0, equals),
                      .value = equals == std::string::npos ? "" : term.substr(equals + 1),
                      .any = equals == std::string::npos});
    at = end + 1;
  }
}

bool LabelSelector::Selects(const json& metadata) const {
  const auto labels = metadata.find("labels");
  for (const Term& term : terms_) {
    if (labels == metadata.end()) return false;
    const auto found = labels->find(term.name);
    if (found == labels->end() || (!term.any && *found != term.value)) return false;
  }
  return true;
}

std::string ClusterStore::NewUid() {
  std::array<char, 40> uid{};
  static_cast<void>(std::snprintf(uid.data(), uid.size(), "00000000-0000-4000-8000-%012llx",
                                  static_cast<unsigned long long>(next_uid_++)));
  return uid.data();
}

json& ClusterStore::Add(const std::string& plural, json object) {
  object["apiVersion"] = ApiVersionOf(plural);
  object["kind"] = KindNameOf(plural);
  if (!object["metadata"].contains("uid")) object["metadata"]["uid"] = NewUid();
  object["metadata"]["creationTimestamp"] = ClusterTime();
  object["metadata"]["resourceVersion"] = std::to_string(++version_);
  const std::string name = object["metadata"]["name"];
  json& kept = objects_[plural][name] = std::move(object);
  Tell(plural, "ADDED", kept);
  return kept;
}

json* ClusterStore::Find(const std::string& plural, const std::string& name) {
  auto& all = objects_[plural];
  const auto found = all.find(name);
  return found == all.end() ? nullptr : &found->second;
}

json* ClusterStore::FindUid(const std::string& plural, const std::string& uid) {
  for (auto& [name, object] : objects_[plural]) {
    if (object["metadata"]["uid"] == uid) return &object;
  }
  return nullptr;
}

void ClusterStore::Changed(const std::string& plural, json& object) {
  object["metadata"]["resourceVersion"] = std::to_string(++version_);
  Tell(plural, "MODIFIED", object);
}

void ClusterStore::Remove(const std::string& plural, const std::string& name) {
  auto& all = objects_[plural];
  const auto found = all.find(name);
  if (found == all.end()) return;
  found->second["metadata"]["resourceVersion"] = std::to_string(++version_);
  Tell(plural, "DELETED", found->second);
  all.erase(found);
}

void ClusterStore::ForEach(const std::string& plural, const std::function<void(json&)>& visit) {
  for (auto& [name, object] : objects_[plural]) visit(object);
}

std::size_t ClusterStore::Count(const std::string& plural) const {
  const auto found = objects_.find(plural);
  return found == objects_.end() ? 0 : found->second.size();
}

json ClusterStore::List(const std::string& plural, const LabelSelector& selector, std::size_t limit,
                        const std::string& token) const {
  json items = json::array();
  std::string next;
  if (const auto kind = objects_.find(plural); kind != objects_.end()) {
    const auto& all = kind->second;
    for (auto at = token.empty() ? all.begin() : all.upper_bound(token); at != all.end(); ++at) {
      if (!selector.Selects(at->second["metadata"])) continue;
      if (limit != 0 && items.size() == limit) {
        next = items.back()["metadata"]["name"];
        break;
      }
      items.push_back(at->second);
      items.back().erase("apiVersion");  // the list's own says it of all
      items.back().erase("kind");
    }
  }
  json metadata{{"resourceVersion", std::to_string(version_)}};
  if (!next.empty()) metadata["continue"] = next;
  return {{"kind", std::string(KindNameOf(plural)) + "List"},
          {"apiVersion", ApiVersionOf(plural)},
          {"metadata", std::move(metadata)},
          {"items", std::move(items)}};
}

bool ClusterStore::Since(std::uint64_t& version, const std::string& plural,
                         const LabelSelector& selector, std::string& lines) const {
  if (version < forgotten_) return false;
  auto at = changes_.end();
  while (at != changes_.begin() && std::prev(at)->version > version) --at;
  for (; at != changes_.end(); ++at) {
    if (at->plural == plural && selector.Selects(at->metadata)) lines += at->line;
  }
  version = std::max(version, version_);
  return true;
}

void ClusterStore::Forget() {
  changes_.clear();
  forgotten_ = ++version_;
}

void ClusterStore::Tell(const std::string& plural, const char* type, const json& object) {
  changes_.push_back({.version = version_,
                      .plural = plural,
                      .metadata = {{"labels", object["metadata"].value("labels", json::object())}},
                      .line = json{{"type", type}, {"object", object}}.dump() + "\n"});
  if (changes_.size() <= kMostChanges) return;
  forgotten_ = changes_.front().version;
  changes_.pop_front();
}

}  // namespace tidewaiter::testing
