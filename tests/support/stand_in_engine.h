// An engine for faults and scale: answers the calls of Docker API 1.41 that this project makes, as
// the real engine was recorded to (tests/integration checks it against the real one). "Containers"
// are entries of a map; what one does is written in its command:
//   ["exit", "N"]        ends at once with status N
//   ["print", TEXT]      writes TEXT to stdout, then exits 0
//   ["say", TEXT]        writes TEXT to stdout, then runs until it is killed
//   ["flood", BYTES]     writes so many bytes to stdout, then exits 0
//   ["missing", PROGRAM] cannot be started: there is no such program
//   ["refused", ANY]     cannot be created: the engine answers 400
//   anything else        runs until it is killed
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/stand_in_server.h"

namespace tidewaiter::testing {

class StandInEngine {
 public:
  // What happens instead of (or after) the right answer to one call.
  enum class Fault {
    kNone,
    kResetBefore,
    kResetAfter,
    kError500,
    kConflict409,
    kNotFound404,
    kHang,
    kGarbage
  };
  // Asked for every call, with its index from 0 on and "METHOD /path" without the version.
  using FaultAt = std::function<Fault(std::size_t index, const std::string& call)>;
  // May change the answer of a container's inspect, and of /info, before it is sent.
  using Tamper = std::function<void(nlohmann::json& inspect)>;

  static constexpr const char* kDigest =
      "sha256:1111111111111111111111111111111111111111111111111111111111111111";
  static constexpr const char* kImageId =
      "sha256:2222222222222222222222222222222222222222222222222222222222222222";

  explicit StandInEngine(std::string socket_path);
  ~StandInEngine();
  StandInEngine(const StandInEngine&) = delete;
  StandInEngine& operator=(const StandInEngine&) = delete;

  void SetFaults(FaultAt fault_at);
  void SetTamper(Tamper tamper);

  // "METHOD /path" of every call so far.
  [[nodiscard]] std::vector<std::string> Calls() const;
  // Body of every create call so far.
  [[nodiscard]] std::vector<nlohmann::json> CreateBodies() const;
  [[nodiscard]] std::size_t ContainerCount() const;
  [[nodiscard]] std::size_t NetworkCount() const;
  // Ends every event stream.
  void BreakEvents();
  // A container with these labels that nobody asked for, as left by someone. Returns its id.
  std::string PlantContainer(const std::string& name, const nlohmann::json& labels);
  std::string PlantNetwork(const std::string& name, const nlohmann::json& labels);
  // It has every image, until it is told to have none; a pull brings them back.
  void ForgetImages();
  // All that it holds: {"Kind", "Id", "Name", "Labels", "Status"}, of a network without the last.
  [[nodiscard]] std::vector<nlohmann::json> Holdings() const;
  // Starts of containers that had been started before.
  [[nodiscard]] std::size_t SecondStarts() const;

 private:
  struct Container;
  void Handle(const StandInRequest& request, StandInConnection& connection);
  void Dispatch(const StandInRequest& request, const std::string& call,
                StandInConnection& connection);
  void Create(const StandInRequest& request, StandInConnection& connection);
  void Start(Container& container, StandInConnection& connection);
  bool ImageCall(const std::string& call, const std::string& path, StandInConnection& connection);
  void List(const StandInRequest& request, StandInConnection& connection);
  void Attach(const std::shared_ptr<Container>& container, StandInConnection& connection);
  void Events(StandInConnection& connection);
  void Finish(Container& container, int exit_code);
  bool NetworkCall(const StandInRequest& request, const std::string& call,
                   StandInConnection& connection);
  [[nodiscard]] std::shared_ptr<Container> Find(const std::string& id_or_name);
  [[nodiscard]] nlohmann::json Inspect(const Container& container);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  FaultAt fault_at_;
  Tamper tamper_;
  std::vector<std::string> calls_;
  std::vector<nlohmann::json> create_bodies_;
  std::map<std::string, std::shared_ptr<Container>> containers_;  // by id
  std::map<std::string, nlohmann::json> networks_;                // by id
  std::vector<std::string> events_;                               // JSON lines, all there ever were
  std::uint64_t next_id_ = 1;
  std::uint64_t event_breaks_ = 0;
  bool has_images_ = true;
  std::size_t second_starts_ = 0;
  std::unique_ptr<StandInServer> server_;  // last: its threads use what stands above
};

}  // namespace tidewaiter::testing
