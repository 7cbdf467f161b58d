#include "tests/support/exit_path.h"

#include <algorithm>
#include <cctype>
#include <csignal>
#include <iterator>
#include <utility>

#include "tests/support/tar_bytes.h"

namespace tidewaiter::testing {
namespace {

using Outcome = v1::RunResult;

std::function<bool(const ClientAnswer&)> EndsAs(Outcome::Outcome outcome) {
  return [outcome](const ClientAnswer& answer) {
    return answer.transcript.Result().outcome() == outcome;
  };
}

ClientAnswer Exit(FaultWorld& world) {
  return {.transcript = world.Run(world.Spec(world.jobs().exits_with_7))};
}

ClientAnswer ExitIsolated(FaultWorld& world) {
  v1::RunSpec spec = world.Spec(world.jobs().exits_with_7);
  spec.mutable_network()->set_mode(v1::Network::ISOLATED);
  return {.transcript = world.Run(spec)};
}

ClientAnswer TimeOut(FaultWorld& world) {
  v1::RunSpec spec = world.Spec(world.jobs().runs_for_ever);
  spec.mutable_limits()->mutable_timeout()->set_seconds(1);
  return {.transcript = world.Run(spec)};
}

ClientAnswer Cancel(FaultWorld& world) {
  return {.transcript = world.Run(world.Spec(world.jobs().runs_for_ever),
                                  [](const v1::RunEvent& event, auto& stream, auto&) {
                                    if (!event.has_started()) return;
                                    v1::RunRequest cancel;
                                    cancel.mutable_cancel();
                                    stream.Write(cancel);
                                  })};
}

ClientAnswer HangUp(FaultWorld& world) {
  ClientAnswer answer;
  answer.transcript = world.Run(world.Spec(world.jobs().runs_for_ever),
                                [&](const v1::RunEvent& event, auto&, auto& context) {
                                  if (!event.has_started()) return;
                                  answer.hung_up = true;
                                  context.TryCancel();
                                });
  return answer;
}

ClientAnswer Pull(FaultWorld& world) {
  world.stand_in().ForgetImages();
  return Exit(world);
}

ClientAnswer RefusedByTheEngine(FaultWorld& world) {
  return {.transcript = world.Run(world.Spec({"refused", "always"}))};
}

ClientAnswer CommandNotFound(FaultWorld& world) {
  return {.transcript = world.Run(world.Spec(world.jobs().missing_program))};
}

// Asks a broker that has just found out that its engine was away.
ClientAnswer EventsCut(FaultWorld& world) {
  world.faulty().CutEvents();
  return Exit(world);
}

// Times out; `meanwhile`, once it has started.
ClientAnswer TimeOutWhile(FaultWorld& world, const std::function<void(FaultWorld&)>& meanwhile) {
  v1::RunSpec spec = world.Spec(world.jobs().runs_for_ever);
  spec.mutable_limits()->mutable_timeout()->set_seconds(1);
  return {.transcript = world.Run(spec, [&](const v1::RunEvent& event, auto&, auto&) {
    if (event.has_started()) meanwhile(world);
  })};
}

ClientAnswer EventsCutAmidTheRun(FaultWorld& world) {
  return TimeOutWhile(world, [](FaultWorld& there) { there.faulty().CutEvents(); });
}

ClientAnswer WatchesDeniedAmidTheRun(FaultWorld& world) {
  ClientAnswer answer = TimeOutWhile(world, [](FaultWorld& there) {
    there.faulty().DenyEvents(true);
    there.faulty().CutEvents();
  });
  world.faulty().DenyEvents(false);
  return answer;
}

ClientAnswer WatchesTooOldAmidTheRun(FaultWorld& world) {
  return TimeOutWhile(world, [](FaultWorld& there) {
    there.cluster().ForgetChanges();
    there.faulty().CutEvents();
  });
}

ClientAnswer LogCutAmidTheRun(FaultWorld& world) {
  return TimeOutWhile(world, [](FaultWorld& there) { there.faulty().CutOutputs(); });
}

ClientAnswer ServerRestartedAmidTheRun(FaultWorld& world) {
  return TimeOutWhile(world, [](FaultWorld& there) { there.faulty().Restart(); });
}

ClientAnswer Shutdown(FaultWorld& world) {
  ClientAnswer answer;
  const pid_t broker = world.broker().pid();
  answer.transcript = world.Run(world.Spec(world.jobs().runs_for_ever),
                                [&](const v1::RunEvent& event, auto&, auto&) {
                                  if (event.has_started() && !world.Killed()) {
                                    ::kill(broker, SIGTERM);
                                  }
                                });
  const std::string wrong = world.StopBroker();
  if (!wrong.empty()) {  // as the lack of an answer, which no other check would take for one
    answer.transcript.status = grpc::Status(grpc::DEADLINE_EXCEEDED, wrong);
  }
  return answer;
}

v1::StartRun WithFiles(v1::RunSpec spec) {
  v1::Mount& in = *spec.add_mounts();
  in.set_target("/in/code");
  in.mutable_input()->set_name("code");
  v1::Mount& out = *spec.add_mounts();
  out.set_target("/out/results");
  out.mutable_output()->set_name("results");
  v1::StartRun start;
  *start.mutable_spec() = std::move(spec);
  return start;
}

void SendInput(const v1::RunEvent& event, GateClient::Stream& stream) {
  if (!event.has_admitted()) return;
  v1::RunRequest request;
  request.mutable_input()->set_name("code");
  request.mutable_input()->set_data(TarBytes().File("main", "text").Ended());
  request.mutable_input()->set_last(true);
  stream.Write(request);
}

ClientAnswer Archives(FaultWorld& world) {
  return {.transcript = world.Run(
              WithFiles(world.Spec(world.jobs().exits_with_7)),
              [](const v1::RunEvent& event, auto& stream, auto&) { SendInput(event, stream); })};
}

ClientAnswer ClusterFiles(FaultWorld& world) {
  ClientAnswer answer = Archives(world);
  answer.outputs = {"results"};
  return answer;
}

ClientAnswer TimeOutWithFiles(FaultWorld& world) {
  v1::StartRun start = WithFiles(world.Spec(world.jobs().runs_for_ever));
  start.mutable_spec()->mutable_limits()->mutable_timeout()->set_seconds(1);
  return {.transcript = world.Run(start, [](const v1::RunEvent& event, auto& stream,
                                            auto&) { SendInput(event, stream); }),
          .outputs = {"results"}};
}

ClientAnswer CancelWithFiles(FaultWorld& world) {
  return {.transcript = world.Run(WithFiles(world.Spec(world.jobs().runs_for_ever)),
                                  [](const v1::RunEvent& event, auto& stream, auto&) {
                                    SendInput(event, stream);
                                    if (!event.has_started()) return;
                                    v1::RunRequest cancel;
                                    cancel.mutable_cancel();
                                    stream.Write(cancel);
                                  }),
          .outputs = {"results"}};
}

// Returns once it has started, or no longer may.
ClientAnswer DetachWithFiles(FaultWorld& world, v1::RunSpec spec) {
  v1::StartRun start = WithFiles(std::move(spec));
  start.set_detach(true);
  return {.transcript = world.Run(start, [](const v1::RunEvent& event, auto& stream,
                                            auto&) { SendInput(event, stream); }),
          .outputs = {"results"}};
}

ClientAnswer FilesDetached(FaultWorld& world) {
  ClientAnswer answer = DetachWithFiles(world, world.Spec(world.jobs().exits_with_7));
  world.WaitDetached(answer.transcript);
  world.FetchDetached(answer.transcript, "results");
  return answer;
}

// The pod of the former broker is stopped by the next one, which by then believes that nothing of
// the former one's can still come.
ClientAnswer FilesAdopted(FaultWorld& world) {
  v1::RunSpec spec = world.Spec(world.jobs().runs_for_ever);
  spec.mutable_limits()->mutable_timeout()->set_seconds(3);
  ClientAnswer answer = DetachWithFiles(world, std::move(spec));
  world.ReplaceBroker();
  world.WaitDetached(answer.transcript);
  world.FetchDetached(answer.transcript, "results");
  return answer;
}

// Its end comes by its stdin's.
ClientAnswer Stdin(FaultWorld& world) {
  v1::StartRun start;
  *start.mutable_spec() = world.Spec({"drain", "7"});
  start.mutable_spec()->mutable_limits()->mutable_timeout()->set_seconds(2);
  start.set_stdin(true);
  return {.transcript = world.Run(start, [](const v1::RunEvent& event, auto& stream, auto&) {
    if (!event.has_admitted()) return;
    v1::RunRequest request;
    request.set_stdin("text");
    stream.Write(request);
    request.mutable_stdin_end();
    stream.Write(request);
  })};
}

ClientAnswer ExitDetached(FaultWorld& world) {
  return {.transcript = world.RunDetached(world.Spec(world.jobs().exits_with_7))};
}

ClientAnswer TimeOutDetached(FaultWorld& world) {
  v1::RunSpec spec = world.Spec(world.jobs().runs_for_ever);
  spec.mutable_limits()->mutable_timeout()->set_seconds(1);
  return {.transcript = world.RunDetached(spec)};
}

// Where its broker dies before it hears of that, its time is soon over.
ClientAnswer CancelDetached(FaultWorld& world) {
  v1::RunSpec spec = world.Spec(world.jobs().runs_for_ever);
  spec.mutable_limits()->mutable_timeout()->set_seconds(3);
  ClientAnswer answer{.transcript = world.StartDetached(spec)};
  world.CancelDetached(answer.transcript);
  world.WaitDetached(answer.transcript);
  return answer;
}

// While the engine makes its container.
ClientAnswer CancelDetachedAmidCreate(FaultWorld& world) {
  world.faulty().HoldCreates(true);
  ClientAnswer answer{.transcript = world.BeginDetached(world.Spec(world.jobs().runs_for_ever))};
  Eventually(std::chrono::seconds(2), [&] {
    const std::vector<std::string> calls = world.faulty().Calls();
    return std::find(calls.begin(), calls.end(), world.faulty().create()) != calls.end();
  });
  world.CancelDetached(answer.transcript);
  world.faulty().HoldCreates(false);
  world.WaitDetached(answer.transcript);
  return answer;
}

// The broker leaves the run to the next one.
ClientAnswer ShutdownAmidDetached(FaultWorld& world) {
  v1::RunSpec spec = world.Spec(world.jobs().runs_for_ever);
  spec.mutable_limits()->mutable_timeout()->set_seconds(1);
  ClientAnswer answer{.transcript = world.StartDetached(spec)};
  const std::string wrong = world.StopBroker();
  answer.transcript.status = wrong.empty() ? grpc::Status(grpc::UNAVAILABLE, "nobody waits for it")
                                           : grpc::Status(grpc::DEADLINE_EXCEEDED, wrong);
  return answer;
}

// A broker that is killed once the container runs, whatever else fails before and after.
ClientAnswer Adopted(FaultWorld& world) {
  v1::RunSpec spec = world.Spec(world.jobs().runs_for_ever);
  spec.mutable_limits()->mutable_timeout()->set_seconds(1);
  ClientAnswer answer{.transcript = world.StartDetached(spec)};
  world.ReplaceBroker();
  world.WaitDetached(answer.transcript);
  return answer;
}

bool Exited(const ClientAnswer& answer) {
  return EndsAs(Outcome::EXITED)(answer);
}

// With its outputs.
bool GaveAll(const ClientAnswer& answer) {
  std::size_t whole = 0;
  for (const v1::RunEvent& event : answer.transcript.events) {
    if (!event.has_output_piece() || !event.output_piece().has_end()) continue;
    if (event.output_piece().end().error().empty()) ++whole;
  }
  return Exited(answer) && whole == answer.outputs.size();
}

}  // namespace

std::string TestNameOf(const ExitPath& path) {
  std::string name;
  bool upper = true;
  for (const char c : path.name) {
    const auto letter = static_cast<unsigned char>(c);
    const bool fits = std::isalnum(letter) != 0;
    if (fits) name += upper ? static_cast<char>(std::toupper(letter)) : c;
    upper = !fits;
  }
  return name;
}

std::vector<ExitPath> AttachedPaths() {
  return {
      {"exits by itself", Exit, Exited},
      {"exits in a network of its own", ExitIsolated, Exited},
      {"times out", TimeOut, EndsAs(Outcome::TIMED_OUT)},
      {"is cancelled", Cancel, EndsAs(Outcome::CANCELLED)},
      {"its client vanishes", HangUp, [](const ClientAnswer& answer) { return answer.hung_up; }},
      {"its image is pulled", Pull, Exited},
      {"is refused by the engine", RefusedByTheEngine, EndsAs(Outcome::FAILED)},
      {"its command is not found", CommandNotFound, EndsAs(Outcome::COMMAND_FAILED)},
      {"the events broke before it", EventsCut, Exited},
      {"the events break amid it", EventsCutAmidTheRun, EndsAs(Outcome::TIMED_OUT)},
      {"the broker is stopped", Shutdown, EndsAs(Outcome::SHUTDOWN)},
  };
}

std::vector<ExitPath> DetachedPaths() {
  return {
      {"is detached and exits by itself", ExitDetached, Exited},
      {"is detached and times out", TimeOutDetached, EndsAs(Outcome::TIMED_OUT)},
      {"is detached and cancelled", CancelDetached, EndsAs(Outcome::CANCELLED)},
      {"is detached and cancelled amid its create", CancelDetachedAmidCreate,
       EndsAs(Outcome::CANCELLED)},
      {"is detached and its broker is stopped", ShutdownAmidDetached,
       [](const ClientAnswer& answer) { return !answer.transcript.RunId().empty(); }, true},
      {"is detached and adopted", Adopted, EndsAs(Outcome::TIMED_OUT), true},
  };
}

std::vector<ExitPath> ClusterPaths() {
  return {
      {"exits by itself", Exit, Exited},
      {"times out", TimeOut, EndsAs(Outcome::TIMED_OUT)},
      {"is cancelled", Cancel, EndsAs(Outcome::CANCELLED)},
      {"its client vanishes", HangUp, [](const ClientAnswer& answer) { return answer.hung_up; }},
      {"is refused by the cluster", RefusedByTheEngine, EndsAs(Outcome::FAILED)},
      {"its command is not found", CommandNotFound, EndsAs(Outcome::COMMAND_FAILED)},
      {"the watches broke before it", EventsCut, Exited},
      {"the watches break amid it", EventsCutAmidTheRun, EndsAs(Outcome::TIMED_OUT)},
      {"the watches are denied amid it", WatchesDeniedAmidTheRun, EndsAs(Outcome::TIMED_OUT)},
      {"the watches are too old amid it", WatchesTooOldAmidTheRun, EndsAs(Outcome::TIMED_OUT)},
      {"its log is cut amid it", LogCutAmidTheRun, EndsAs(Outcome::TIMED_OUT)},
      {"the server restarts amid it", ServerRestartedAmidTheRun, EndsAs(Outcome::TIMED_OUT)},
      {"the broker is stopped", Shutdown, EndsAs(Outcome::SHUTDOWN)},
      {"reads its stdin", Stdin, Exited},
  };
}

std::vector<ExitPath> ClusterFilePaths() {
  return {
      {"has an input and an output", ClusterFiles, GaveAll},
      {"has files and times out", TimeOutWithFiles, EndsAs(Outcome::TIMED_OUT)},
      {"has files and is cancelled", CancelWithFiles, EndsAs(Outcome::CANCELLED)},
      {"has files and is detached", FilesDetached, GaveAll},
      {"has files and is detached and adopted", FilesAdopted, EndsAs(Outcome::TIMED_OUT), true},
  };
}

std::vector<ExitPath> ArchivePaths() {
  return {{"has an input and an output", Archives, Exited}};
}

std::vector<ExitPath> EnginePaths() {
  return {
      {"exits by itself", Exit, Exited},
      {"exits in a network of its own", ExitIsolated, Exited},
      {"times out", TimeOut, EndsAs(Outcome::TIMED_OUT)},
      {"is cancelled", Cancel, EndsAs(Outcome::CANCELLED)},
      {"its client vanishes", HangUp, [](const ClientAnswer& answer) { return answer.hung_up; }},
      {"its command is not found", CommandNotFound, Exited},
      {"has an input and an output", Archives, Exited},
      {"is detached and exits by itself", ExitDetached, Exited},
      {"is detached and times out", TimeOutDetached, EndsAs(Outcome::TIMED_OUT)},
      {"is detached and cancelled", CancelDetached, EndsAs(Outcome::CANCELLED)},
      {"is detached and adopted", Adopted, EndsAs(Outcome::TIMED_OUT)}};
}

}  // namespace tidewaiter::testing
