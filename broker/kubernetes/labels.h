// The labels, annotations and names by which a broker knows its own objects in a cluster again.
// Pure. Grammar of label values and qualified names: Kubernetes, "Labels and Selectors".
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/strong_id.h"
#include "broker/json/json.h"
#include "policy/effective_run.h"

namespace tidewaiter::kubernetes {

inline constexpr std::string_view kBrokerLabel = "io.tidewaiter.broker";
inline constexpr std::string_view kRunLabel = "io.tidewaiter.run";

// "tw-RUN_ID": name of a run's Job and of its NetworkPolicy.
std::string ObjectName(const RunId& run_id);

// Any text as a label value: itself where it is one (at most 63 of [A-Za-z0-9._-], alphanumeric at
// both ends, or empty) and does not begin with "sha256-"; else "sha256-" and 56 hex digits of its
// SHA-256. Two texts have the same value only where 224 bits of their hashes agree.
std::string LabelValue(std::string_view text);

struct ObjectLabels {
  std::map<std::string, std::string> labels;       // legal as they are
  std::map<std::string, std::string> annotations;  // each label's text whose value is not itself
};

// The broker's own labels for everything that the run has: broker, run, principal, and
// tenant.challenge, tenant.job, tenant.task where they are set; and the run's own ones, whose names
// are qualified names (policy::KubernetesViolations).
ObjectLabels LabelsOf(const BrokerId& broker, const RunId& run_id, std::string_view principal,
                      const policy::EffectiveRun& run);

// Those of them that are the broker's own. A pod has no others: what a client names could attach it
// to a network (Multus), configure its node's runtime, or have another network policy select it.
ObjectLabels BrokersOwn(const ObjectLabels& labels);

// Whether an object's metadata says: made by this broker, for this run.
bool BelongsTo(const Json& object, const BrokerId& broker, const RunId& run_id);

// "labelSelector=NAME%3DVALUE": the part of a query that selects by one label.
std::string LabelQuery(std::string_view name, std::string_view value);

}  // namespace tidewaiter::kubernetes
