// Port: what runs containers. One implementation per engine; the supervisor calls it from the run's
// own thread, every call blocks at most until its Patience ends, and any number of runs call at
// once.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/completion.h"
#include "base/deadline.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "broker/run/archives.h"
#include "broker/run/outcome.h"
#include "broker/run/output_sink.h"
#include "policy/admitted_run.h"
#include "policy/enforcement.h"

namespace tidewaiter::run {

// How long a call may take: until the token is stopped (CANCELLED) or the deadline passes
// (DEADLINE_EXCEEDED).
struct Patience {
  std::stop_token stop;
  Deadline deadline;
};

// One thing that a run has on the engine. `name` is deterministic ("tw-RUN_ID") and written to the
// journal before the thing is created; `id` is the engine's, empty until known.
struct Resource {
  enum class Kind {
    kNetwork,
    kContainer,
    kNetworkPolicy,
    // Of a Job, which makes it: `name` is the Job's, and all its pods are meant. `id` only tells
    // which of them runs the command (Container::Runner).
    kPod,
    kSecrets,  // all of a run's: they have `name` and a number
    kJob,
  };
  Kind kind = Kind::kContainer;
  std::string name;
  std::string id;
  friend bool operator==(const Resource&, const Resource&) = default;
};
std::string_view ToString(Resource::Kind kind) noexcept;
// Whether a thing of this kind runs the command: what is adopted, and removed before the others.
bool RunsCommand(Resource::Kind kind) noexcept;
// Whether a resource of this kind stands for any number of things, of which its id names one at
// most.
bool StandsForMany(Resource::Kind kind) noexcept;

// Folders of the host, absolute, under which a run's inputs and outputs lie by their names.
struct MountSources {
  std::string inputs;
  std::string outputs;
};

// How the files of runs get to their containers and back.
struct FileCarriage {
  // False: containers have them from MountSources. True: they lie there, too, but are the broker's
  // own; Create takes the inputs from Creation::read_input, and Container::FetchOutput gives the
  // outputs.
  bool carried = false;
  // Of all inputs of a run together.
  std::uint64_t max_input_bytes = std::numeric_limits<std::uint64_t>::max();
};

// The archive of the input `name`, a plain tar, the same each time.
using InputReader =
    std::function<Result<void>(const std::string& name, const ArchiveWriter&, const Patience&)>;

struct OutputRequest {
  std::string name;
  std::uint64_t max_bytes = 0;  // of content; a file that does not fit is omitted
  bool last = false;            // nothing is fetched after it
};

// Error::reason of an archive that the connection broke amid: what has come of it is worth nothing,
// and it may be asked for again.
inline constexpr std::string_view kOutputCut = "OUTPUT_CUT";

struct ResolvedImage {
  std::string digest;    // "sha256:..." of the manifest; empty where the policy asks for none and
                         // none is known
  std::string image_id;  // the engine's id of the image configuration: what Create uses
  friend bool operator==(const ResolvedImage&, const ResolvedImage&) = default;
};

struct ContainerExit {
  std::int32_t exit_code = 0;
  bool oom_killed = false;
  // Set where the engine never ran the command: "not found" (exit_code 127) or "not executable"
  // (126).
  bool command_failed = false;
  std::string message;
  // How long it ran by the engine's clock, where that tells more than the moment at which its start
  // and its end became known: a cluster may tell of both at once.
  std::optional<std::chrono::milliseconds> ran;
  // Set where the engine lost the container or stopped answering about it; exit_code means nothing
  // then.
  std::optional<Error> lost;
};

// Told of image progress while Resolve waits. Called on any thread; must not block.
class ImageProgressSink {
 public:
  virtual ~ImageProgressSink() = default;
  virtual void OnProgress(std::string_view layer, std::string_view status,
                          std::int64_t current_bytes, std::int64_t total_bytes) = 0;
};

// The two directions of an attached container. Destroying it detaches; nothing is called
// afterwards.
class Attachment {
 public:
  virtual ~Attachment() = default;
  // Set once stdout and stderr have both ended (empty) or the stream broke (the error).
  virtual Completion<std::optional<Error>>& ended() = 0;
  // Takes as many bytes as there is room for (64 KiB of queue) and returns how many: 0 means try
  // again when `on_room` is called. Never blocks. Bytes after the container's end are taken and
  // dropped.
  virtual std::size_t WriteStdin(std::span<const std::byte> data) = 0;
  virtual void SetOnStdinRoom(std::function<void()> on_room) = 0;
  // Half-closes: the container reads end of file once the queue has been delivered.
  virtual void CloseStdin() = 0;
};

// How much of a container's output somebody has, from its beginning on.
struct LogPosition {
  std::uint64_t stdout_bytes = 0;
  std::uint64_t stderr_bytes = 0;
  // SHA-256 of those bytes of stdout, where it is known and not moved along since; else empty.
  std::string stdout_digest{};
  friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

// Called on the reading thread, which it may hold up. False: no more.
using LogTaker = std::function<bool(OutputStream, std::span<const std::byte>)>;

// A created container on its way through one run. Destroying it stops listening; it removes
// nothing.
class Container {
 public:
  virtual ~Container() = default;
  [[nodiscard]] virtual const std::string& id() const = 0;
  // Before Start, so that no byte is lost. Output goes to `sink` in order; `sink` and this must
  // outlive the Attachment.
  virtual Result<std::unique_ptr<Attachment>> Attach(OutputSink& sink, bool with_stdin,
                                                     const Patience& patience) = 0;
  // Starts it. A command that is missing or not executable is no error here but a ContainerExit.
  virtual Result<void> Start(const Patience& patience) = 0;
  // Set when the container has ended, by whatever cause, or was lost.
  virtual Completion<ContainerExit>& exited() = 0;
  // What the engine itself has made to run the command, with its id, once that is known to have
  // begun: a Job's pod. Nothing where the container alone is what runs it.
  [[nodiscard]] virtual std::optional<Resource> Runner() { return std::nullopt; }
  // SIGTERM or SIGKILL. False: there was nothing left to signal, so the container had already ended
  // by itself, and `exited` is about to say how.
  virtual Result<bool> Signal(int signal_number, const Patience& patience) = 0;
  // Whether the container seems to have ended without `exited` being told, because the engine waits
  // until the rest of its output has been read. For a container whose output nobody has taken for
  // long; blocks for a few seconds where the answer is yes.
  virtual bool EndIsWithheld(const Patience& patience) = 0;
  // Whether the Attachment ended, without an error, only because the engine went away: some of the
  // output may be missing. To be asked once it has ended and `exited` is set, or later again.
  virtual bool StreamsCutOff() = 0;
  // How the engine gives out what it has kept (Creation::keeps_log): FollowLog, where that is so,
  // else ReadLog. For a container whose Attachment went with a former broker, or with the engine.
  [[nodiscard]] virtual bool FollowsLog() const { return false; }
  // As Attach, of a container that may have started long ago: hands `sink` the output beyond
  // `position`, as it comes, whatever breaks meanwhile. Attachment::ended's error, besides
  // Attach's: LOG_INCOMPLETE where the engine has dropped the beginning, or that is not what
  // position.stdout_digest tells of. Not where FollowsLog is false.
  virtual std::unique_ptr<Attachment> FollowLog(const LogPosition& /*position*/,
                                                OutputSink& /*sink*/) {
    return nullptr;
  }
  // Hands over what the engine has kept of the output beyond `position`, in order, and moves
  // `position` along: after an error, too, it tells what `take` was given, and a further call goes
  // on there. True: that was all that there was when the call began; false: `take` wanted no more.
  // To be called again and again while the container runs, and once after its end, when the log is
  // whole. Before, a last line that has no end yet may be missing: an engine keeps whole lines, or
  // pieces of 16 KiB. Where the very last line of a stream is longer than that, 20.10 does not tell
  // whether it had an end: none is handed over. One thread at a time. Errors: NOT_FOUND (removed),
  // LOG_NOT_KEPT (it was created without), and LOG_INCOMPLETE where the engine may have dropped the
  // beginning, now and ever after; where FollowsLog, UNIMPLEMENTED.
  virtual Result<bool> ReadLog(LogPosition& /*position*/, const LogTaker& /*take*/,
                               const Patience& /*patience*/) {
    return Fail(ErrorCode::kUnimplemented, "read the log of a container: it is followed");
  }
  // Where files are carried, once `exited` is set and the container not lost: an output's files and
  // folders as a tar, to be taken for hostile. What was left out of it is the answer. Errors:
  // OUTPUT_FAILED, kOutputCut, Patience's, those of `write`.
  virtual Result<Omissions> FetchOutput(const OutputRequest& request,
                                        const ArchiveWriter& /*write*/,
                                        const Patience& /*patience*/) {
    return Fail(ErrorCode::kInternal, "fetch output '" + request.name + "': it is not carried",
                "OUTPUT_FAILED");
  }
};

// A container that a former broker created, as the engine knows it now.
struct Adopted {
  enum class State {
    kCreated,  // never started, or its start failed for a reason that is not its command
    kRunning,  // `exited` will tell when it ends
    kEnded,    // `exited` is set; also where its command could not be run
  };
  State state = State::kRunning;
  std::unique_ptr<Container> container;
  std::string image_id;
  // By the engine's clock, where it tells them. Of a container that ended at once the end may be
  // told as a little earlier than the start (seen with 20.10).
  std::optional<std::chrono::system_clock::time_point> started_at;
  std::optional<std::chrono::system_clock::time_point> finished_at;
  std::string start_error;  // of kCreated: the engine's words about a start that failed, or ""
};

class Backend {
 public:
  virtual ~Backend() = default;

  // "docker".
  [[nodiscard]] virtual std::string_view name() const = 0;

  // What this backend cannot enforce of an otherwise admitted run: it refuses, naming the field,
  // and never drops it.
  [[nodiscard]] virtual std::vector<policy::Violation> Unsupported(
      const policy::EffectiveRun& effective) const = 0;

  // What of a run that it does not refuse something else enforces, or nothing does: for whoever
  // asks what would happen to the run. Does not block.
  [[nodiscard]] virtual std::vector<policy::Enforcement> Notes(
      const policy::EffectiveRun& /*effective*/) const {
    return {};
  }

  [[nodiscard]] virtual FileCarriage Carriage() const { return {}; }

  // Makes the image present on the engine and fixes what it is. With verify_tag the registry is
  // asked first. Errors: TAG_MISMATCH, IMAGE_UNAVAILABLE, REGISTRY_UNAVAILABLE, ENGINE_UNAVAILABLE
  // (as Error::reason).
  virtual Result<ResolvedImage> Resolve(const policy::AdmittedRun& admitted,
                                        ImageProgressSink& progress, const Patience& patience) = 0;

  // The resources that Create is going to make for this run, without ids: for the journal. In order
  // of creation, but where their removal, which goes through them backwards, asks for another one.
  [[nodiscard]] virtual std::vector<Resource> Plan(const policy::AdmittedRun& admitted,
                                                   const RunId& run_id) const = 0;

  // Creates them, labelled at creation, and compares the engine's view of the container with
  // `admitted` (ENGINE_DIFFERS). Fills in the ids in `resources` as they become known, so that on
  // an error the caller removes exactly what exists.
  struct Creation {
    const policy::AdmittedRun& admitted;
    const RunId& run_id;
    std::string_view principal;
    const ResolvedImage& image;
    const MountSources& sources;
    InputReader read_input{};  // set where files are carried
    bool with_stdin = false;
    // The engine keeps the output, for Container::ReadLog. UNSUPPORTED where it cannot.
    bool keeps_log = false;
  };
  virtual Result<std::unique_ptr<Container>> Create(const Creation& creation,
                                                    std::vector<Resource>& resources,
                                                    const Patience& patience) = 0;

  // What the journal has of a container that Create made in a former broker.
  struct Former {
    Resource container;
    // The id of Container::Runner; empty where it was not written down: then nobody knows of a
    // command that has begun. What an engine has made in its place runs the command a second time,
    // and is never the run.
    std::string runner{};
  };
  // Takes it over: found by its id, or by its name where the id is not known. Changes nothing.
  // Errors: NOT_FOUND where there is none (any more), FOREIGN_CONTAINER where its labels are not
  // this broker's and this run's; others, as ENGINE_UNAVAILABLE, say nothing about it, and asking
  // again may help. Where its runner is there no more the container has ended, as lost.
  virtual Result<Adopted> Adopt(const Former& former, const RunId& run_id,
                                const Patience& patience) = 0;

  // Removes one resource, by id where known, else by its name after checking that its labels say
  // that it is this broker's and this run's; then confirms that it is absent. Already absent is
  // success. A foreign thing under that name is left alone and counts as absent.
  virtual Removal Remove(const Resource& resource, const RunId& run_id, Deadline deadline) = 0;

  // A former broker may have asked the engine for it right before it ended, without hearing the
  // answer: for a while Remove does not take its absence for granted. `elapsed`: since that broker
  // was known to be gone. For what the journal knows by its name only; does not block.
  virtual void ExpectLate(const Resource& resource, std::chrono::milliseconds elapsed) = 0;

  // Every resource on the engine that carries this broker's id, with its run. For the reaper.
  struct Owned {
    Resource resource;
    RunId run_id;
  };
  // However many there are: the list is as long as it takes, within the patience.
  virtual Result<std::vector<Owned>> ListOwned(const Patience& patience) = 0;

  // Every resource on the engine that carries the label of a broker, of this one or another, with
  // what its labels say, which anyone may have written. For diagnostics: nothing is done by it.
  struct Labelled {
    Resource resource;
    std::string broker_id;
    std::string run_id;
    friend bool operator==(const Labelled&, const Labelled&) = default;
  };
  virtual Result<std::vector<Labelled>> ListLabelled(Deadline deadline) = 0;

  // The engine's version, for diagnostics ("docker 20.10.24, API 1.41"); asks whether it answers
  // now.
  virtual Result<std::string> Describe(Deadline deadline) = 0;

  // What the broker lacks there to do its work, a line each: rights that it was not given. For
  // diagnostics, of an engine that answers.
  virtual std::vector<std::string> Shortfalls(Deadline /*deadline*/) { return {}; }
};

}  // namespace tidewaiter::run
