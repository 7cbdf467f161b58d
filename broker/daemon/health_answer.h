// What a probe is answered over HTTP: GET or HEAD of /healthz (the process lives) and /readyz (it
// serves), 200 or 503, a few hundred bytes of JSON; with ?verbose the same as lines of text, as
// Kubernetes' own health endpoints have them. Nothing in an answer comes from the request or from
// anything that a client can name. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidewaiter::daemon {

// What is known without asking anyone.
struct HealthReport {
  bool loop_turns = true;
  bool stopping = false;
  bool audit_works = true;
  bool engine_answers = true;  // when it was last asked
  std::uint32_t overdue = 0;   // removals that are still tried: of runs, strays and kept runs
  bool compares = true;        // what the engine holds with the runs, when it last tried
};

// `head` is a request from its first byte to its blank line. Ready is what grpc.health.v1 calls
// SERVING: an engine that does not answer, a removal that is overdue or a comparison with the
// engine that fails degrades it, no more, since
// the broker goes on to answer, to queue and to clean up, which a restart would not do any sooner.
std::string AnswerProbe(std::string_view head, const HealthReport& report);

// For a request whose head does not end within its bound.
std::string AnswerHeadTooLong();

}  // namespace tidewaiter::daemon
