// Detached runs through the real daemon on a real engine, by the wire and by the command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/detached_world.h"

namespace tidewaiter::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;

using Detached = DetachedWorld;

TEST_F(Detached, GoesOnWithoutAnybodyAndTellsWhoeverAsks) {
  const std::string run_id = Start(Shell("echo out; echo err >&2; exit 7")).run_id();
  const v1::WaitResponse ended = Wait(run_id);
  EXPECT_EQ(ended.result().outcome(), v1::RunResult::EXITED);
  EXPECT_EQ(ended.result().exit_code(), 7);
  EXPECT_TRUE(ended.receipt().complete());
  for (int i = 0; i < 2; ++i) {
    const Transcript transcript = Attach(run_id);
    EXPECT_TRUE(transcript.status.ok()) << transcript.status.error_message();
    EXPECT_EQ(transcript.RunId(), run_id);
    EXPECT_EQ(transcript.Stdout(), "out\n");
    EXPECT_EQ(transcript.Stderr(), "err\n");
    EXPECT_EQ(transcript.Result().exit_code(), 7);
    EXPECT_TRUE(transcript.Receipt().complete());
    EXPECT_FALSE(transcript.Started().container_id().empty());
  }
}

TEST_F(Detached, AnAttachedClientIsToldWhatHappensAsItHappens) {
  const std::string run_id = Start(Shell("echo first; sleep 1; echo second")).run_id();
  AwaitOutput(run_id, "first\n");
  EXPECT_EQ(Attach(run_id).Stdout(), "first\nsecond\n");
}

TEST_F(Detached, EveryByteOfALongOutputIsThere) {
  v1::RunSpec spec = Shell(
      "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done; head -c 3000000 /dev/zero");
  spec.mutable_limits()->set_log_bytes(std::int64_t{16} << 20);
  const std::string run_id = Start(spec).run_id();
  std::string expected;
  for (int i = 1; i <= 20'000; ++i) expected += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(Attach(run_id).Stdout(), expected + std::string(3'000'000, '\0'));
}

TEST_F(Detached, TheSameKeyIsTheSameRunAlsoAfterARestart) {
  v1::RunSpec spec = Shell("echo once");
  spec.set_idempotency_key("job 1");
  const std::string run_id = Start(spec).run_id();
  const v1::StartResponse again = Start(spec);
  EXPECT_EQ(again.run_id(), run_id);
  EXPECT_TRUE(again.existing());
  Wait(run_id);
  KillAndRestart();
  EXPECT_EQ(Start(spec).run_id(), run_id);
  EXPECT_EQ(Attach(run_id).Stdout(), "once\n");
  EXPECT_EQ(Wait(run_id).result().exit_code(), 0);
}

TEST_F(Detached, WhatIsKeptGoesAfterItsRetentionAndIsOnRecord) {
  Begin("retention = \"1s\"\n");
  const std::string run_id = Start(Shell("true")).run_id();
  Wait(run_id);
  ASSERT_TRUE(Eventually(kWithin, [&] {
    v1::WaitResponse response;
    return ErrorInfoOf(Wait(run_id, response)).reason() == "RUN_NOT_FOUND";
  }));
  const fs::path kept = fs::path(broker_->runs_folder()).parent_path() / "kept";
  EXPECT_TRUE(Eventually(kWithin, [&] { return fs::is_empty(kept); }));
  EXPECT_THAT(client_->AuditLines(run_id), Contains(HasSubstr("run.expired")));
}

TEST_F(Detached, DeniedIsAnErrorWithItsViolations) {
  v1::RunSpec spec = Shell("true");
  spec.set_image("evil.example/x:1.0.0");
  grpc::ClientContext context;
  v1::StartRequest request;
  *request.mutable_spec() = spec;
  v1::StartResponse response;
  const grpc::Status status = client_->broker().Start(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "POLICY_DENIED");
}

TEST_F(Detached, WhatIsNotThereIsNamed) {
  const std::string run_id = Start(Shell("true")).run_id();
  Wait(run_id);
  v1::WaitResponse response;
  EXPECT_EQ(ErrorInfoOf(Wait("aaaaaaaaaaaaaaaaaaaaaaaaaa", response)).reason(), "RUN_NOT_FOUND");
  EXPECT_EQ(Reason(run_id, "none"), "NO_OUTPUT");
}

TEST_F(Detached, TheCommandStartsWaitsShowsAndFetches) {
  ScratchFolder folder;
  std::ofstream(folder / "data") << "from the client";
  fs::create_directory(folder / "in");
  fs::rename(folder / "data", fs::path(folder / "in") / "data");
  const Program::Ended started =
      Ask({"run", "-d", "--input", "code=" + (folder / "in") + ":/code", "--mount",
           "type=output,source=results,target=/out", lab_.image, "sh", "-c",
           "cat /code/data; cp /code/data /out/copy; ln -s x /out/link; exit 3"});
  ASSERT_EQ(started.status, 0) << started.err;
  const std::string run_id = started.out.substr(0, started.out.find('\n'));
  EXPECT_EQ(Ask({"wait", run_id}).status, 3);
  const Program::Ended logs = Ask({"logs", "-f", run_id});
  EXPECT_EQ(logs.status, 0) << logs.err;
  EXPECT_EQ(logs.out, "from the client");
  const Program::Ended fetched = Ask({"fetch", run_id, "results=" + (folder / "out")});
  EXPECT_EQ(fetched.status, 0) << fetched.err;
  EXPECT_THAT(fetched.err, HasSubstr("symbolic-link"));
  EXPECT_EQ(Read(fs::path(folder / "out") / "copy"), "from the client");
  EXPECT_EQ(Ask({"fetch", run_id, "results=" + (folder / "again")}).status, 0);
  // When it was kept, and for each that has it.
  EXPECT_THAT(client_->AuditLines(run_id), Contains(HasSubstr("run.output")).Times(3));
  EXPECT_EQ(Ask({"fetch", run_id, "nothing=" + (folder / "none")}).status, 1);
  EXPECT_EQ(Ask({"logs", "aaaaaaaaaaaaaaaaaaaaaaaaaa"}).status, 1);
  EXPECT_EQ(Ask({"wait", "aaaaaaaaaaaaaaaaaaaaaaaaaa"}).status, 125);
}

}  // namespace
}  // namespace tidewaiter::testing
