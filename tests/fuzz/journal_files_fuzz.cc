// Any bytes as the journal's run.pb and result.pb, as they are and with a checksum that matches:
// refused, or read as what is possible, and then written and read again the same. With a byte that
// has changed: refused.

#include <google/protobuf/stubs/logging.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "broker/journal/entry_format.h"
#include "broker/journal/result_format.h"
#include "broker/journal/sealed_file.h"
#include "run_entry.pb.h"

namespace {

using namespace tidewaiter;

// Of one that is not cut.
constexpr std::size_t kMaxText = 4096;

void Require(bool holds) {
  if (!holds) std::abort();
}

void RequireRefusal(const Error& error) {
  Require(error.code == ErrorCode::kFailedPrecondition && error.Reason() == "JOURNAL_UNREADABLE");
}

// What a file holds, as it would be written.
template <typename Message>
Message Content(std::string_view file) {
  Message message;
  Require(message.ParseFromString(*journal::Unseal(file)));
  message.DiscardUnknownFields();
  return message;
}

// What looks like a password is masked when it is written: such texts may be others then.
void ClearMasked(journal::RunEntry& content) {
  if (!content.has_detachment()) return;
  content.mutable_detachment()->clear_tenant_challenge();
  content.mutable_detachment()->clear_tenant_job();
  content.mutable_detachment()->clear_tenant_task();
}

void CheckEntry(std::string_view file) {
  Result<run::JournalEntry> entry = journal::ParseEntry(file);
  if (!entry) return RequireRefusal(entry.error());
  if (const auto& detachment = entry->detachment) {
    Require(detachment->log_bytes >= 0 && detachment->output_bytes >= 0);
    Require(detachment->timeout.count() >= 0);
    // Overflows would be found by the sanitizer.
    const run::Launch now{.at = std::chrono::system_clock::time_point::max(),
                          .boot_id = detachment->launch ? detachment->launch->boot_id : "",
                          .since_boot = std::chrono::milliseconds::max()};
    if (detachment->launch) Require(detachment->launch->Elapsed(now).count() >= 0);
    Require(std::chrono::nanoseconds(detachment->timeout).count() >= 0);
    Require(detachment->log_bytes + detachment->output_bytes >= 0);
  }
  const Result<std::string> written = journal::FormatEntry(*entry);
  Require(written.has_value());
  const Result<run::JournalEntry> again = journal::ParseEntry(*written);
  Require(again && again->detachment.has_value() == entry->detachment.has_value());
  if (entry->detachment) entry->detachment->tenant = again->detachment->tenant;
  Require(*again == *entry);
  auto content = Content<journal::RunEntry>(file);
  content.mutable_caller();
  auto kept = Content<journal::RunEntry>(*written);
  ClearMasked(content);
  ClearMasked(kept);
  Require(kept.SerializeAsString() == content.SerializeAsString());
}

void CheckResult(std::string_view file) {
  run::KeptRun run;
  const Result<void> read = journal::ParseResult(file, run);
  if (!read) return RequireRefusal(read.error());
  const auto age = std::chrono::system_clock::time_point::max() - run.ended_at;
  Require(age.count() >= 0);
  // Longer texts are cut, once.
  const Result<std::string> written = journal::FormatResult(run);
  Require(written.has_value());
  run::KeptRun again;
  Require(journal::ParseResult(*written, again).has_value());
  const Result<std::string> rewritten = journal::FormatResult(again);
  Require(rewritten.has_value());
  auto content = Content<journal::KeptResult>(file);
  const bool is_long = content.ByteSizeLong() > kMaxText;
  if (content.duration_millis() < 0) content.set_duration_millis(-1);
  auto kept = Content<journal::KeptResult>(*written);
  auto kept_again = Content<journal::KeptResult>(*rewritten);
  for (auto* each : {&content, &kept, &kept_again}) each->clear_message();
  Require(kept_again.SerializeAsString() == kept.SerializeAsString());
  Require(kept.SerializeAsString() == content.SerializeAsString() || is_long);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const google::protobuf::LogSilencer silence;
  // The text of bytes is what a char is for.
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string sealed = journal::Seal(std::string(bytes));
  for (const std::string_view file : {bytes, std::string_view(sealed)}) {
    CheckEntry(file);
    CheckResult(file);
  }
  std::string damaged = sealed;
  damaged[(size == 0 ? 0 : data[0]) % damaged.size()] ^= '\x10';
  Require(!journal::Unseal(damaged));
  return 0;
}
