// The stand-in cluster against the real one: the same calls in the same order, and of what is
// answered and told all that the broker reads (pod_view.cc, watch.cc, status.cc, conformity.cc).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <regex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/completion.h"
#include "broker/io/event_loop.h"
#include "broker/io/http_client.h"
#include "broker/io/line_splitter.h"
#include "broker/kubernetes/cluster_api.h"
#include "broker/kubernetes/job_manifest.h"
#include "broker/kubernetes/kubeconfig.h"
#include "broker/kubernetes/labels.h"
#include "broker/kubernetes/network_policy.h"
#include "tests/support/admitted_run.h"
#include "tests/support/lab.h"
#include "tests/support/stand_in_cluster.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::seconds;

constexpr seconds kWithin(150);  // a kubelet of 1.20 takes its time to let a pod go

run::Patience Patience() {
  return {.stop = {}, .deadline = Deadline::After(kWithin)};
}

// What is another one each time, by what it is.
std::string Neutral(std::string text, const std::string& run) {
  const auto replace = [&text](const char* pattern, const char* by) {
    text = std::regex_replace(text, std::regex(pattern), by);
  };
  text = std::regex_replace(text, std::regex("tw-" + run + "-[a-z0-9]{5}"), "POD");
  text = std::regex_replace(text, std::regex(run), "RUN");
  replace("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID");
  replace(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", "TIME");
  replace("resource version: [0-9 ()]+", "resource version: VERSION");
  return text;
}

Json Picked(const Json& from, const std::vector<std::string>& names) {
  Json picked = Json::object();
  for (const std::string& name : names) {
    if (from.is_object() && from.contains(name)) picked[name] = from.at(name);
  }
  return picked;
}

Json StatusShape(const Json& status) {
  Json shape = Picked(status, {"phase", "reason"});
  for (const Json& condition : status.value("conditions", Json::array())) {
    const std::string type = TextAt(condition, "type");
    if (type != "PodScheduled" && type != "Failed" && type != "Complete") continue;
    shape["conditions"].push_back(Picked(condition, {"type", "status", "reason"}));
  }
  for (const Json& container : status.value("containerStatuses", Json::array())) {
    Json state = At(container, {"state"});
    if (state.contains("running")) state["running"] = Picked(state["running"], {"startedAt"});
    if (state.contains("terminated")) {
      state["terminated"] =
          Picked(state["terminated"], {"exitCode", "reason", "startedAt", "finishedAt"});
    }
    shape["containers"].push_back({{"name", TextAt(container, "name")}, {"state", state}});
  }
  return shape;
}

Json Shape(const Json& object) {
  Json shape = Picked(object, {"kind", "apiVersion", "spec", "status", "details"});
  shape["metadata"] =
      Picked(At(object, {"metadata"}),
             {"name", "namespace", "labels", "annotations", "ownerReferences", "finalizers", "uid",
              "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"});
  if (At(shape, {"metadata", "annotations"}).is_object()) {
    Json& annotations = shape["metadata"]["annotations"];
    // Of 1.20 alone, which keeps it there as well.
    std::erase_if(annotations.get_ref<Json::object_t&>(), [](const auto& entry) {
      return entry.first.find("seccomp.security.alpha") != std::string::npos;
    });
    if (annotations.empty()) shape["metadata"].erase("annotations");
  }
  if (shape.contains("spec") && shape["spec"].contains("nodeName")) {
    shape["spec"]["nodeName"] = "NODE";
  }
  if (At(object, {"status"}).is_object()) shape["status"] = StatusShape(object.at("status"));
  return shape;
}

// What a watch tells, each kind of state once.
class Listener {
 public:
  Listener(ClusterApi& api, const ObjectKind& kind, std::string run, const std::string& version)
      : run_(std::move(run)), thread_([this, &api, &kind, version](const std::stop_token& stop) {
          const io::StreamReceiver receiver{
              .on_open = {},
              .on_data = [this](std::string_view data) { return OnData(data); },
              .control = nullptr};
          static_cast<void>(api.Watch(kind, LabelQuery(kRunLabel, run_), version,
                                      {.stop = stop, .deadline = Deadline::Never()}, receiver));
        }) {}

  // Waits until something has been told of that contains this text.
  bool Await(const std::string& text) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kWithin, [&] {
      return std::any_of(told_.begin(), told_.end(), [&](const std::string& one) {
        return one.find(text) != std::string::npos;
      });
    });
  }
  std::vector<std::string> Told() {
    const std::lock_guard lock(mutex_);
    return told_;
  }
  // Of the last object.
  Json Last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  io::StreamNext OnData(std::string_view data) {
    const std::lock_guard lock(mutex_);
    lines_.Feed(data, [this](std::string_view line) {
      const Json event = Json::parse(line);
      const Json& object = event.at("object");
      Json shape = StatusShape(At(object, {"status"}));
      shape["deleted"] = At(object, {"metadata"}).contains("deletionTimestamp");
      const std::string text = Neutral(TextAt(event, "type") + " " + shape.dump(), run_);
      if (told_.empty() || told_.back() != text) told_.push_back(text);
      last_ = object;
      return true;
    });
    changed_.notify_all();
    return io::StreamNext::kMore;
  }

  const std::string run_;
  std::mutex mutex_;
  std::condition_variable changed_;
  io::LineSplitter lines_{std::size_t{8} << 20U};
  std::vector<std::string> told_;
  Json last_;
  std::jthread thread_;  // last: it uses the others
};

struct Commands {
  std::vector<std::string> exits_with_7;
  std::vector<std::string> runs_for_ever;  // and exits with 143 on SIGTERM
  std::vector<std::string> missing;
};

// One cluster, and a transcript of what it has said.
class Side {
 public:
  Side(ClusterAccess access, const std::string& name_space, std::string image, Commands commands,
       BrokerId broker_id)
      : commands_(std::move(commands)),
        image_(std::move(image)),
        loop_(*io::EventLoop::Start()),
        http_(*io::HttpClient::Create(*loop_)),
        client_(*http_, std::move(access)),
        api_(client_, settings_) {
    settings_.name_space = name_space;
    settings_.stop_grace = seconds(2);
    settings_.broker_id = std::move(broker_id);
  }

  void RunToItsEnd() {
    Begin(commands_.exits_with_7);
    if (::testing::Test::HasFatalFailure()) return;
    Start();
    EXPECT_TRUE(pods_->Await("\"exitCode\":7"));
    EXPECT_TRUE(jobs_->Await("BackoffLimitExceeded"));
    Note("the ended pod", Bare(pods_->Last()));
    Say("the log", Log(false));
    const std::string pod = TextAt(At(pods_->Last(), {"metadata"}), "name");
    Note("delete the pod", api_.Delete(kPods, pod, {}, Patience()));
    EXPECT_TRUE(pods_->Await("DELETED"));
    Finish();
  }
  void StopOnTheWay() {
    Begin(commands_.runs_for_ever);
    if (::testing::Test::HasFatalFailure()) return;
    Start();
    EXPECT_TRUE(pods_->Await("\"running\""));
    Note("the running pod", Bare(pods_->Last()));
    std::promise<void> heard;
    std::future<std::string> log = std::async([&] { return Log(true, &heard); });
    heard.get_future().wait_for(kWithin);
    Note("stop", Bare(api_.Patch(kJobs, name_, StopPatch(), Patience())));
    // Of a kubelet of 1.20 that removes the container meanwhile (log_follower.cc).
    std::string text = log.get();
    text.erase(std::min(text.find("rpc error: "), text.size()));
    Say("the log", text);
    EXPECT_TRUE(pods_->Await("DELETED"));
    Finish();
  }
  void MissACommand() {
    Begin(commands_.missing);
    if (::testing::Test::HasFatalFailure()) return;
    Start();
    EXPECT_TRUE(pods_->Await("ContainerCannotRun"));
    Finish();
  }
  void Refuse() {
    Begin(commands_.runs_for_ever);
    if (::testing::Test::HasFatalFailure()) return;
    Note("create the job again", api_.Create(kJobs, body_, Patience()));
    Note("delete another's job", Delete("Background", "11111111-2222-4333-8444-555555555555"));
    Note("change what is not there", api_.Patch(kJobs, name_ + "x", StopPatch(), Patience()));
    Note("delete what is not there", api_.Delete(kPods, name_ + "x", {}, Patience()));
    Note("the log of what is not there", ReadLog(name_ + "x", true, Ignoring()));
    const RunId nobody(std::string(26, 'a'));
    Note("try to create",
         api_.TryCreate(kNetworkPolicies, NetworkPolicyBody(nobody, {}), Patience()));
    std::string told;
    const io::StreamReceiver receiver{.on_open = {},
                                      .on_data =
                                          [&told](std::string_view data) {
                                            told.append(data);
                                            // It may come in pieces.
                                            return told.find('\n') == std::string::npos
                                                       ? io::StreamNext::kMore
                                                       : io::StreamNext::kEnd;
                                          },
                                      .control = nullptr};
    Note("watch from too long ago",
         api_.Watch(kJobs, LabelQuery(kRunLabel, run_.value()), "1", Patience(), receiver));
    const Json event = ParseJson(told).value_or(Json());
    too_late_ = TextAt(event, "type") + " " +
                Picked(At(event, {"object"}), {"kind", "code", "reason"}).dump();
    const auto may = api_.May({"create", "batch", "jobs", ""}, Patience());
    said_.push_back(may && *may ? "may create jobs" : "may not create jobs");
    Finish();
  }

  [[nodiscard]] const std::vector<std::string>& said() const { return said_; }
  // To who watched from too long ago.
  [[nodiscard]] const std::string& too_late() const { return too_late_; }
  // Of it, by the watches.
  [[nodiscard]] std::vector<std::string> told() const {
    std::vector<std::string> told = said_;
    std::erase_if(told, [](const std::string& one) { return !one.starts_with("told "); });
    return told;
  }

 private:
  static io::StreamReceiver Ignoring() {
    return {.on_open = {},
            .on_data = [](std::string_view) { return io::StreamNext::kMore; },
            .control = nullptr};
  }
  void Say(const std::string& what, const std::string& text) {
    said_.push_back(what + ": " + Neutral(text, run_.value()));
  }
  void Note(const std::string& what, const Json& object) {
    std::string text = Shape(object).dump(1);
    Say(what, text);
  }
  void Note(const std::string& what, const Error& error) {
    Say(what, std::string(error.Reason()) + " " + error.message);
  }
  void Note(const std::string& what, const Result<Json>& answer) {
    answer ? Note(what, *answer) : Note(what, answer.error());
  }
  void Note(const std::string& what, const Result<bool>& gone) {
    gone ? Say(what, *gone ? "gone" : "going") : Note(what, gone.error());
  }
  void Note(const std::string& what, const Result<void>& done) {
    done ? Say(what, "done") : Note(what, done.error());
  }

  // All that is made before the Job is started.
  void Begin(const std::vector<std::string>& command) {
    run_ = RunId(RandomId());
    name_ = ObjectName(run_);
    policy::RunSpec spec;
    spec.image = image_;
    spec.command = command;
    spec.env = {{"EMPTY", ""}, {"A", "1"}};
    spec.limits.memory_bytes = 32000000;
    spec.limits.cpu_millis = 100;
    const policy::AdmittedRun admitted = testing::Admit(
        testing::PermissivePolicy(image_.substr(0, image_.find('/')) + "/lab/*"), spec);
    const ObjectLabels labels = LabelsOf(settings_.broker_id, run_, "tester", admitted.effective());
    body_ = JobBody({.admitted = admitted,
                     .run_id = run_,
                     .labels = labels,
                     .image = image_,
                     .inputs = {},
                     .settings = settings_});
    const std::string query = LabelQuery(kRunLabel, run_.value());
    for (const ObjectKind* kind : {&kJobs, &kPods}) {
      const auto listed = api_.List(*kind, query, Patience(), [](const Json&) { ADD_FAILURE(); });
      ASSERT_TRUE(listed) << listed.error().message;
      auto& listener = kind == &kJobs ? jobs_ : pods_;
      listener = std::make_unique<Listener>(api_, *kind, run_.value(), *listed);
    }
    Note("create the policy",
         api_.Create(kNetworkPolicies, NetworkPolicyBody(run_, labels), Patience()));
    Note("create the job", Bare(api_.Create(kJobs, body_, Patience())));
    const auto job = api_.Read(kJobs, name_, Patience());
    ASSERT_TRUE(job && *job);
    Note("own the policy", api_.Patch(kNetworkPolicies, name_, OwnerPatch(**job), Patience()));
    const auto read = api_.Read(kNetworkPolicies, name_, Patience());
    if (read && *read) Note("read the policy", **read);
    EXPECT_TRUE(jobs_->Await("ADDED"));
  }
  // Without the words of its command.
  static Json Bare(Json object) {
    Json& spec = object["spec"];
    Json& pod = spec.contains("template") ? spec["template"]["spec"] : spec;
    for (Json& container : pod["containers"]) container.erase("command");
    return object;
  }
  static Result<Json> Bare(Result<Json> object) {
    if (!object) return object;
    return Bare(*std::move(object));
  }
  void Start() { Note("start", Bare(api_.Patch(kJobs, name_, StartPatch(), Patience()))); }
  Result<void> ReadLog(const std::string& pod, bool follow, const io::StreamReceiver& receiver) {
    const auto end = std::make_shared<Completion<Result<void>>>();
    const auto stream = api_.BeginLog(pod, kJobContainer, follow, receiver,
                                      [end](Result<void> read) { end->Set(std::move(read)); });
    if (!stream) return stream.error();
    return end->Wait({}, Patience().deadline)
        .value_or(Fail(ErrorCode::kDeadlineExceeded, "the log does not end"));
  }
  // `heard`: set when the first piece is there.
  std::string Log(bool follow, std::promise<void>* heard = nullptr) {
    std::string text;
    const io::StreamReceiver receiver{.on_open = {},
                                      .on_data =
                                          [&](std::string_view data) {
                                            if (text.empty() && heard != nullptr)
                                              heard->set_value();
                                            text.append(data);
                                            return io::StreamNext::kMore;
                                          },
                                      .control = nullptr};
    const std::string pod = TextAt(At(pods_->Last(), {"metadata"}), "name");
    const auto read = ReadLog(pod, follow, receiver);
    return text + (read ? "" : read.error().message);
  }
  Result<bool> Delete(std::string_view propagation, const std::string& uid) {
    return api_.Delete(kJobs, name_, {.propagation = propagation, .uid = uid, .grace_seconds = {}},
                       Patience());
  }
  void Finish() {
    const Json job = api_.Read(kJobs, name_, Patience())->value_or(Json());
    const std::string uid = TextAt(At(job, {"metadata"}), "uid");
    Note("delete the job", Delete("Foreground", uid));
    EXPECT_TRUE(jobs_->Await("DELETED"));
    const auto gone = api_.Read(kJobs, name_, Patience());
    Say("read the job", gone && !*gone ? "there is none" : "it is there");
    Note("delete it again", Delete("Background", uid));
    for (Listener* listener : {pods_.get(), jobs_.get()}) {
      for (const std::string& one : listener->Told()) said_.push_back("told " + one);
    }
    static_cast<void>(api_.Delete(kNetworkPolicies, name_, {}, Patience()));
    pods_.reset();
    jobs_.reset();
  }

  const Commands commands_;
  const std::string image_;
  KubernetesSettings settings_;
  std::unique_ptr<io::EventLoop> loop_;
  std::unique_ptr<io::HttpClient> http_;
  ClusterClient client_;
  ClusterApi api_;
  RunId run_;
  std::string name_;
  Json body_;
  std::unique_ptr<Listener> pods_;
  std::unique_ptr<Listener> jobs_;
  std::vector<std::string> said_;
  std::string too_late_;
};

class StandInAgainstCluster : public ::testing::Test {
 protected:
  void Compare(void (Side::*play)()) {
    TW_REQUIRE_LAB(lab);
    TW_REQUIRE_KUBERNETES(cluster);
    auto access = LoadKubeconfig({.path = cluster.kubeconfig, .context = ""});
    ASSERT_TRUE(access) << access.error().message;
    const BrokerId broker(RandomId());
    Side real(*std::move(access), cluster.name_space, lab.image,
              {.exits_with_7 = {"sh", "-c", "sleep 2; exit 7"},
               .runs_for_ever = {"sh", "-c",
                                 "trap 'exit 143' TERM; echo out; while :; do sleep 0.1; done"},
               .missing = {"/no/such/program"}},
              broker);
    testing::StandInCluster stand_in;
    ClusterAccess plain;
    plain.server = "http://" + stand_in.address();
    Side imitation(std::move(plain), cluster.name_space, lab.image,
                   {.exits_with_7 = {"exit", "7"},
                    .runs_for_ever = {"say", "out\n"},
                    .missing = {"missing", "program"}},
                   broker);
    std::jthread other([&] { (real.*play)(); });
    (imitation.*play)();
    other.join();
    ASSERT_EQ(imitation.said().size(), real.said().size())
        << ::testing::PrintToString(imitation.told()) << "\nand the real one\n"
        << ::testing::PrintToString(real.told());
    for (std::size_t i = 0; i < real.said().size(); ++i) {
      EXPECT_EQ(imitation.said()[i], real.said()[i]);
    }
    // A server that has hardly told of any Job yet (apiserver, watch cache: 100 events) still knows
    // the first one, and begins there.
    if (!real.too_late().starts_with("ADDED")) {
      EXPECT_EQ(imitation.too_late(), real.too_late());
    }
  }
};

TEST_F(StandInAgainstCluster, RunsAJobToItsEnd) {
  Compare(&Side::RunToItsEnd);
}
TEST_F(StandInAgainstCluster, StopsAJob) {
  Compare(&Side::StopOnTheWay);
}
TEST_F(StandInAgainstCluster, CannotStartAProgramThatIsNotThere) {
  Compare(&Side::MissACommand);
}
TEST_F(StandInAgainstCluster, RefusesInTheSameWords) {
  Compare(&Side::Refuse);
}

}  // namespace
}  // namespace tidewaiter::kubernetes
