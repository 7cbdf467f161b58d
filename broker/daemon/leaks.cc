#include "broker/daemon/leaks.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::daemon {
namespace {

using Labelled = run::Backend::Labelled;

constexpr std::string_view kForeign = "foreign";
constexpr std::string_view kOverdue = "overdue";
constexpr std::string_view kKeptDirectory = "kept-directory";
constexpr std::string_view kOverdueCause = "its removal is overdue, and tried until it succeeds";

class Comparison {
 public:
  explicit Comparison(const LeakSurvey& survey) : survey_(survey) {
    for (const run::RunInfo& run : survey.runs) states_[run.run_id.value()] = run.state;
    for (const run::KeptInfo& kept : survey.kept) kept_[kept.run_id.value()] = &kept;
  }

  std::vector<Leak> Run() {
    for (const auto& [backend, listed] : survey_.engines) {
      if (listed) {
        for (const Labelled& one : *listed) CompareResource(backend, one);
      } else {
        Add("not-compared", "", "", backend, listed.error().message);
      }
    }
    if (survey_.state) {
      CompareState(*survey_.state);
    } else {
      Add("not-compared", "", "", survey_.state_dir, survey_.state.error().message);
    }
    std::stable_partition(leaks_.begin(), leaks_.end(),
                          [](const Leak& leak) { return leak.kind != kForeign; });
    return std::move(leaks_);
  }

 private:
  void Add(std::string_view kind, const std::string& id, const std::string& run_id,
           const std::string& where, const std::string& cause) {
    leaks_.push_back({.kind = std::string(kind),
                      .id = Printable(id),
                      .run_id = Printable(run_id),
                      .where = Printable(where, 400),
                      .cause = Printable(cause, 600)});
  }

  [[nodiscard]] std::optional<run::RunState> StateOf(const std::string& run_id) const {
    const auto found = states_.find(run_id);
    return found == states_.end() ? std::nullopt : std::optional(found->second);
  }

  [[nodiscard]] std::string PathOf(const std::string& folder, const std::string& name) const {
    return survey_.state_dir + "/" + (folder.empty() ? "" : folder + "/") + name;
  }

  void CompareResource(const std::string& backend, const Labelled& one) {
    const run::Resource& resource = one.resource;
    existing_.emplace(backend, resource.kind, resource.id);
    const std::string where =
        backend + ": " + std::string(run::ToString(resource.kind)) + " " + resource.name;
    const auto add = [&](std::string_view kind, const std::string& cause) {
      Add(kind, resource.id, one.run_id, where, cause);
    };
    const std::optional<run::RunState> state = StateOf(one.run_id);
    if (one.broker_id != survey_.broker_id.value()) {
      add(kForeign, "it belongs to broker " + Quoted(one.broker_id) + " and is never touched");
    } else if (!IsRandomId(one.run_id)) {
      add("stray",
          "its label names no run, so the broker does not take it for its own: remove it "
          "by hand");
    } else if (!state) {
      add("stray",
          "no run that is known has it: the second comparison in a row (reap_interval) "
          "removes it");
    } else if (*state == run::RunState::kOverdue) {
      add(kOverdue, std::string(kOverdueCause));
    }
  }

  void CompareState(const journal::StateSurvey& state) {
    for (const auto& run : state.runs) CompareRunFolder(run);
    for (const auto& kept : state.kept) CompareKeptFolder(kept);
    for (const auto& folder : state.set_aside) {
      Add("set-aside", folder.name, "", PathOf("set-aside", folder.name),
          folder.reason.empty() ? "it could not be believed; why is not written down"
                                : folder.reason.substr(0, folder.reason.find('\n')));
    }
    for (const std::string& name : state.strangers) {
      Add("unknown-file", name, "", PathOf("", name),
          "the broker makes no such file: move it away");
    }
  }

  void CompareRunFolder(const journal::StateSurvey::RunFolder& run) {
    const std::string path = PathOf("runs", run.name);
    const std::optional<run::RunState> state = StateOf(run.name);
    if (!state) {
      Add("run-directory", run.name, run.name, path,
          "no run that is known has it: the next start looks at it");
      return;
    }
    if (*state == run::RunState::kOverdue) {
      Add(kOverdue, run.name, run.name, path, std::string(kOverdueCause));
    }
    // Whoever tears a run down removes first and closes the journal last.
    if (!run.entry || *state == run::RunState::kTearingDown) return;
    const auto engine = survey_.engines.find(run.entry->backend);
    if (engine == survey_.engines.end() || !engine->second) return;
    for (const run::Resource& resource : run.entry->resources) {
      if (resource.id.empty() ||
          existing_.contains({run.entry->backend, resource.kind, resource.id})) {
        continue;
      }
      Add("gone", resource.id, run.name, path,
          "the engine has no " + std::string(run::ToString(resource.kind)) +
              " of that id: someone "
              "else removed it, or its removal is not written down yet");
    }
  }

  void CompareKeptFolder(const journal::StateSurvey::KeptFolder& folder) {
    const auto add = [&](std::string_view kind, const std::string& cause) {
      Add(kind, folder.name, folder.name, PathOf("kept", folder.name), cause);
    };
    const auto known = kept_.find(folder.name);
    if (known != kept_.end() && known->second->expired) {
      const std::string& failure = known->second->failure;
      add(kOverdue, failure.empty() ? "its retention is over: it goes once that is on record"
                                    : "its retention is over, and its removal is tried until it "
                                      "succeeds: " +
                                          failure);
    } else if (!folder.fault.empty()) {
      add(kKeptDirectory, "the next start sets it aside: " + folder.fault);
    } else if (folder.broker_id != survey_.broker_id) {
      add(kKeptDirectory, "the next start sets it aside: it is another broker's, " +
                              Quoted(folder.broker_id.value()));
    } else if (known == kept_.end()) {
      add(kKeptDirectory, "no run that is known has it: the next start looks at it");
    }
  }

  const LeakSurvey& survey_;
  std::map<std::string, run::RunState> states_;
  std::map<std::string, const run::KeptInfo*> kept_;
  std::set<std::tuple<std::string, run::Resource::Kind, std::string>> existing_;
  std::vector<Leak> leaks_;
};

}  // namespace

std::vector<Leak> FindLeaks(const LeakSurvey& survey) {
  return Comparison(survey).Run();
}

std::vector<Leak> InBoth(const std::vector<Leak>& first, const std::vector<Leak>& second) {
  // Without the cause: an error's text may differ from one time to the next.
  const auto key = [](const Leak& leak) {
    return std::tuple(leak.kind, leak.id, leak.run_id, leak.where);
  };
  std::set<std::tuple<std::string, std::string, std::string, std::string>> again;
  for (const Leak& leak : second) again.insert(key(leak));
  std::vector<Leak> both;
  std::copy_if(first.begin(), first.end(), std::back_inserter(both),
               [&](const Leak& leak) { return again.contains(key(leak)); });
  return both;
}

}  // namespace tidewaiter::daemon
