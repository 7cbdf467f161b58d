// A log on a disk that fails on command, and what it told of that.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "audit/log.h"
#include "tests/support/audit_store.h"
#include "tests/unit/audit/faulty_files.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {

class FaultyLog : public ::testing::Test {
 protected:
  ~FaultyLog() override { files_.Release(); }

  void Open() {
    LogSettings settings = settings_;
    settings.directory = folder_.path();
    settings.broker_id = "broker";
    settings.on_change = [this](bool works) {
      told_.Lock()->push_back(works);
      telling_.notify_all();
    };
    auto log = Log::Open(settings, files_);
    ASSERT_TRUE(log.has_value()) << log.error().message;
    log_ = *std::move(log);
  }

  Result<std::uint64_t> Append(const std::string& run_id) {
    Record record;
    record.type = RecordType::kRunAdmitted;
    record.run_id = run_id;
    return log_->Append(record, Deadline::After(std::chrono::seconds(20)));
  }
  void AppendEventually(const std::string& run_id, std::function<void()> on_durable = {}) {
    Record record;
    record.type = RecordType::kRunFinished;
    record.run_id = run_id;
    log_->AppendEventually(record, std::move(on_durable));
  }
  void Drain() {
    const auto drained = log_->Drain(Deadline::After(std::chrono::seconds(20)));
    ASSERT_TRUE(drained.has_value()) << drained.error().message;
  }
  // Whether what was told last of the log's working is this, or becomes it.
  bool IsTold(bool works) {
    auto told = told_.Lock();
    return told.Wait(telling_, {}, Deadline::After(std::chrono::seconds(20)),
                     [&] { return !told->empty() && told->back() == works; });
  }

  [[nodiscard]] std::vector<nlohmann::json> Records() const {
    std::vector<nlohmann::json> records;
    for (const std::string& line : ReadLog(folder_.path())) {
      records.push_back(nlohmann::json::parse(line));
    }
    return records;
  }
  // "type run_id" of every record.
  [[nodiscard]] std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    for (const auto& record : Records()) {
      lines.push_back(record["type"].get<std::string>() + ' ' + record.value("run_id", ""));
    }
    return lines;
  }

  ScratchFolder folder_;
  LogSettings settings_{.first_retry = std::chrono::milliseconds(1),
                        .last_retry = std::chrono::milliseconds(5),
                        .store = testing::AuditStore()};
  FaultyFiles files_;
  Guarded<std::vector<bool>> told_;
  std::condition_variable_any telling_;
  std::unique_ptr<Log> log_;
};

}  // namespace tidewaiter::audit
