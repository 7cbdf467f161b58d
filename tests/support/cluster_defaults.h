// What an API server adds to an object that it is given, and how it says no: as Kubernetes 1.20.2
// was recorded to (tests/integration/kubernetes checks it against the real one).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace tidewaiter::testing {

// Without the maps that are empty.
void DefaultMetadata(nlohmann::json& metadata);
// `job` with its uid. The rest as it was asked for.
void DefaultJob(nlohmann::json& job);

// The pod that the Job controller makes of it; `suffix`: five letters.
nlohmann::json PodOf(const nlohmann::json& job, const std::string& suffix);

// meta/v1 Status of a failure.
std::string StatusText(int code, const std::string& reason, const std::string& message,
                       const nlohmann::json& details);
// What a watch says before it ends where what follows `version` is forgotten.
std::string TooOldEvent(std::uint64_t version);
// What it says so that nothing is forgotten for whoever follows it: up to there, all has been told.
std::string BookmarkEvent(const std::string& plural, std::uint64_t version);
// Makes a list one of what its objects are called, without what they are.
void LeaveMetadata(nlohmann::json& list);

// "jobs.batch" and the like, as messages name them.
std::string ResourceName(const std::string& plural);
// What `details` say of an object.
nlohmann::json DetailsOf(const std::string& plural, const std::string& name);

// "2000m" as "2", "64000000" as "64M": resource.Quantity's canonical form of plain numbers.
std::string CanonicalQuantity(const std::string& text);

}  // namespace tidewaiter::testing
