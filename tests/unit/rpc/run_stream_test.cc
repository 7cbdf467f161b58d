#include "broker/rpc/run_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/rpc/request_digest.h"

namespace tidewaiter::rpc {
namespace {

class FakeHandle : public run::RunHandle {
 public:
  void RequestStop(run::StopCause cause) override { causes.push_back(std::move(cause)); }
  std::vector<run::StopCause> causes;
};

class FakePort : public StreamPort {
 public:
  void Read() override { ++reads; }
  void Write(const v1::RunEvent& event) override { written.push_back(event); }
  void Finish(const grpc::Status& status) override { finished.push_back(status); }
  void Cancel() override { cancelled = true; }
  void Linger(std::chrono::milliseconds) override { ++lingers; }

  int reads = 0;
  int lingers = 0;
  bool cancelled = false;
  std::vector<v1::RunEvent> written;
  std::vector<grpc::Status> finished;
};

class RunStreamTest : public ::testing::Test {
 protected:
  RunStreamTest() {
    stream_ = std::make_shared<RunStream>(
        [this](run::RunRequest request) -> Result<RunStream::Launched> {
          ++launched_;
          sha256_ = request.sha256;
          with_stdin_ = request.with_stdin;
          uploads_ = request.uploads;
          if (refusal_) return *refusal_;
          detached_ = request.detached;
          if (existing_) return RunStream::Launched{.handle = nullptr, .existing = existing_};
          return RunStream::Launched{.handle = handle_, .existing = {}};
        },
        run::Caller{.uid = 1000, .gid = 1, .pid = 2, .principal = "tester"}, RunStream::Settings{});
    stream_->Open(port_);
  }

  void Start(bool with_stdin = false) {
    v1::RunRequest request;
    request.mutable_start()->set_stdin(with_stdin);
    stream_->OnRead(request, request.ByteSizeLong());
  }
  void StartWithInputs(const std::vector<std::string>& names, bool with_stdin = false) {
    v1::RunRequest request;
    request.mutable_start()->set_stdin(with_stdin);
    for (const std::string& name : names) {
      request.mutable_start()->mutable_spec()->add_mounts()->mutable_input()->set_name(name);
    }
    stream_->OnRead(request, request.ByteSizeLong());
  }
  void StartDetached(const std::vector<std::string>& inputs = {}) {
    v1::RunRequest request;
    request.mutable_start()->set_detach(true);
    for (const std::string& name : inputs) {
      request.mutable_start()->mutable_spec()->add_mounts()->mutable_input()->set_name(name);
    }
    stream_->OnRead(request, request.ByteSizeLong());
  }
  void Input(const std::string& name, std::string data, bool last = false) {
    v1::RunRequest request;
    request.mutable_input()->set_name(name);
    request.mutable_input()->set_data(std::move(data));
    request.mutable_input()->set_last(last);
    stream_->OnRead(request, request.ByteSizeLong());
  }
  void Stdin() {
    v1::RunRequest request;
    request.set_stdin("x");
    stream_->OnRead(request, request.ByteSizeLong());
  }
  // What the call ended with, where the client broke the contract.
  std::string Violation() {
    if (port_.finished.empty()) return "";
    EXPECT_EQ(port_.finished[0].error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return port_.finished[0].error_message();
  }
  void Cancel() {
    v1::RunRequest request;
    request.mutable_cancel();
    stream_->OnRead(request, request.ByteSizeLong());
  }
  // Lets every write succeed until none is under way.
  void Flush() {
    for (std::size_t done = flushed_; done < port_.written.size(); done = ++flushed_) {
      stream_->OnWritten(true);
    }
  }
  bool Output(std::size_t bytes) {
    const std::string text(bytes, 'x');
    return stream_->Write(run::OutputStream::kStdout, std::as_bytes(std::span(text)));
  }
  static run::Outcome Exited() {
    run::Outcome outcome;
    outcome.kind = run::Outcome::Kind::kExited;
    return outcome;
  }

  FakePort port_;
  std::shared_ptr<FakeHandle> handle_ = std::make_shared<FakeHandle>();
  std::optional<Error> refusal_;
  int launched_ = 0;
  std::string sha256_;
  bool detached_ = false;
  std::optional<RunId> existing_;
  bool with_stdin_ = false;
  std::shared_ptr<run::UploadSource> uploads_;
  std::size_t flushed_ = 0;
  std::shared_ptr<RunStream> stream_;
};

TEST_F(RunStreamTest, ItsRunKnowsTheRequestsDigest) {
  v1::RunRequest request;
  request.mutable_start()->mutable_spec()->set_image("busybox");
  stream_->OnRead(request, request.ByteSizeLong());
  EXPECT_EQ(sha256_, RequestDigest(request.start().spec()));
  EXPECT_EQ(sha256_.size(), 32U);
}

TEST_F(RunStreamTest, StatusIsOkOnceAResultWasDelivered) {
  Start();
  stream_->OnOutcome(Exited());
  stream_->OnReceipt({});
  stream_->OnDone();
  EXPECT_TRUE(port_.finished.empty());
  Flush();
  ASSERT_EQ(port_.written.size(), 2U);
  EXPECT_TRUE(port_.written[0].has_result());
  EXPECT_TRUE(port_.written[1].has_receipt());
  ASSERT_EQ(port_.finished.size(), 1U);
  EXPECT_TRUE(port_.finished[0].ok());
}

TEST_F(RunStreamTest, DenialIsAnEventAndThenAStatus) {
  Start();
  stream_->OnDenied({{"user.root", "user", "m", "r"}}, "default", "sha256:x");
  stream_->OnDone();
  Flush();
  ASSERT_EQ(port_.written.size(), 1U);
  EXPECT_EQ(port_.written[0].denied().violations(0).rule(), "user.root");
  EXPECT_EQ(port_.finished.at(0).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(RunStreamTest, RefusedLaunchEndsTheCallWithItsReason) {
  refusal_ = Fail(ErrorCode::kResourceExhausted, "launch the run: full", "NO_CAPACITY");
  Start();
  EXPECT_EQ(port_.finished.at(0).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(RunStreamTest, OneWriteIsUnderWayAtATime) {
  Start();
  stream_->OnQueued(1);
  stream_->OnQueued(0);
  EXPECT_EQ(port_.written.size(), 1U);
  stream_->OnWritten(true);
  EXPECT_EQ(port_.written.size(), 2U);
}

TEST_F(RunStreamTest, ASlowClientPausesTheProducerAndAReaderResumesIt) {
  Start();
  int resumed = 0;
  stream_->SetResume([&] { ++resumed; });
  stream_->OnStarted({}, "id");
  bool going = true;
  std::size_t sent = 0;
  while (going && sent < (1U << 24U)) {
    going = Output(32 * 1024);
    sent += 32 * 1024;
  }
  EXPECT_LE(sent, EventQueue::kMaxOutputBytes + 64 * 1024);
  EXPECT_EQ(resumed, 0);
  Flush();
  EXPECT_EQ(resumed, 1);
  stream_->SetResume({});
}

TEST_F(RunStreamTest, AVanishedClientStopsTheRunAndReleasesTheProducer) {
  Start();
  int resumed = 0;
  stream_->SetResume([&] { ++resumed; });
  stream_->OnCancelled();
  ASSERT_EQ(handle_->causes.size(), 1U);
  EXPECT_EQ(handle_->causes[0].kind, run::StopCause::Kind::kClientGone);
  EXPECT_EQ(resumed, 1);
  EXPECT_EQ(port_.finished.size(), 1U);
  EXPECT_TRUE(Output(1U << 20U));  // dropped: nothing waits, nothing pauses
  stream_->OnOutcome(Exited());
  stream_->OnDone();
  EXPECT_TRUE(port_.written.empty());
  EXPECT_EQ(port_.finished.size(), 1U);
}

TEST_F(RunStreamTest, CancelMessageKeepsTheStream) {
  Start();
  Cancel();
  ASSERT_EQ(handle_->causes.size(), 1U);
  EXPECT_EQ(handle_->causes[0], (run::StopCause{run::StopCause::Kind::kCancelled, "tester"}));
  EXPECT_TRUE(port_.finished.empty());
}

TEST_F(RunStreamTest, ProtocolViolationsEndTheCall) {
  Cancel();
  ASSERT_EQ(port_.finished.size(), 1U);
  EXPECT_EQ(port_.finished[0].error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(launched_, 0);
}

TEST_F(RunStreamTest, SecondStartStopsTheFirst) {
  Start();
  Start();
  EXPECT_EQ(launched_, 1);
  ASSERT_EQ(handle_->causes.size(), 1U);
  EXPECT_EQ(port_.finished.at(0).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(RunStreamTest, UnaskedStdinIsAViolation) {
  Start(false);
  v1::RunRequest request;
  request.set_stdin("x");
  stream_->OnRead(request, request.ByteSizeLong());
  EXPECT_EQ(port_.finished.at(0).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(RunStreamTest, TheNextMessageIsReadOnlyWhenStdinHasRoom) {
  Start(true);
  EXPECT_TRUE(with_stdin_);
  EXPECT_EQ(port_.reads, 2);
  v1::RunRequest request;
  request.set_stdin(std::string(1U << 20U, 'x'));
  stream_->OnRead(request, request.ByteSizeLong());
  EXPECT_EQ(port_.reads, 2);
  stream_->OnAttachmentClosing();  // the container is gone: what waits is dropped
  EXPECT_EQ(port_.reads, 3);
}

TEST_F(RunStreamTest, HalfCloseAfterTheStartIsNoCancel) {
  Start();
  stream_->OnReadEnd();
  EXPECT_TRUE(handle_->causes.empty());
  EXPECT_TRUE(port_.finished.empty());
}

TEST_F(RunStreamTest, ADetachedRunsStreamEndsWellOnceItHasStarted) {
  StartDetached();
  EXPECT_TRUE(detached_);
  stream_->OnStarted({}, "cc");
  stream_->OnDone();
  Flush();
  ASSERT_EQ(port_.finished.size(), 1U);
  EXPECT_TRUE(port_.finished[0].ok());
}

TEST_F(RunStreamTest, ADetachedRunsClientThatIsGoneEndsItsUploads) {
  StartDetached({"code"});
  stream_->OnCancelled();
  EXPECT_EQ(uploads_->Next({.stop = {}, .deadline = Deadline::Never()}).error().Reason(),
            "INPUT_MISSING");
}

TEST_F(RunStreamTest, DetachHasNoStdin) {
  v1::RunRequest request;
  request.mutable_start()->set_detach(true);
  request.mutable_start()->set_stdin(true);
  stream_->OnRead(request, request.ByteSizeLong());
  EXPECT_NE(Violation().find("both stdin and detach"), std::string::npos);
  EXPECT_EQ(launched_, 0);
}

TEST_F(RunStreamTest, ARunThatWasBegunBeforeIsToldAndEndsTheCall) {
  existing_ = RunId("old");
  StartDetached();
  Flush();
  ASSERT_EQ(port_.finished.size(), 1U);
  EXPECT_TRUE(port_.finished[0].ok());
  ASSERT_EQ(port_.written.size(), 1U);
  EXPECT_EQ(port_.written[0].admitted().run_id(), "old");
  EXPECT_TRUE(port_.written[0].admitted().existing());
}

TEST_F(RunStreamTest, WhatIsNoRequestAtAllIsAViolation) {
  Start();
  stream_->OnUnreadable();
  EXPECT_NE(Violation().find("no RunRequest"), std::string::npos);
  EXPECT_EQ(handle_->causes.size(), 1U);
}

TEST_F(RunStreamTest, HalfCloseBeforeTheStartIsAViolation) {
  stream_->OnReadEnd();
  EXPECT_EQ(port_.finished.at(0).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(RunStreamTest, AClientThatReadsNothingAfterTheEndIsCutOff) {
  Start();
  stream_->OnOutcome(Exited());
  stream_->OnReceipt({});
  stream_->OnDone();
  EXPECT_EQ(port_.lingers, 1);
  stream_->OnLingered();
  EXPECT_TRUE(port_.cancelled);
}

TEST_F(RunStreamTest, AClientThatReadsSlowlyAfterTheEndIsNot) {
  Start();
  stream_->OnOutcome(Exited());
  stream_->OnReceipt({});
  stream_->OnDone();
  stream_->OnWritten(true);
  stream_->OnLingered();
  EXPECT_FALSE(port_.cancelled);
  EXPECT_EQ(port_.lingers, 2);
}

TEST_F(RunStreamTest, PiecesOfInputsReachTheRun) {
  StartWithInputs({"code"});
  Input("code", "abc", true);
  const auto piece =
      uploads_->Next({.stop = {}, .deadline = Deadline::After(std::chrono::seconds(0))});
  ASSERT_TRUE(piece.has_value());
  EXPECT_EQ(piece->data.Joined(), "abc");
  EXPECT_TRUE(piece->last);
  EXPECT_EQ(port_.reads, 3);
}

TEST_F(RunStreamTest, UploadsAreReadNoFasterThanTheRunTakesThem) {
  StartWithInputs({"code"});
  Input("code", std::string(std::size_t{1} << 20U, 'x'));
  EXPECT_EQ(port_.reads, 2);
  ASSERT_TRUE(uploads_->Next({.stop = {}, .deadline = Deadline::Never()}).has_value());
  EXPECT_EQ(port_.reads, 3);
}

TEST_F(RunStreamTest, InputsThatTheSpecDoesNotHaveEndTheCall) {
  StartWithInputs({"code"});
  Input("data", "x");
  EXPECT_NE(Violation().find("'data'"), std::string::npos);
  EXPECT_EQ(handle_->causes.at(0).kind, run::StopCause::Kind::kClientGone);
}

TEST_F(RunStreamTest, AnInputComesOnce) {
  StartWithInputs({"code", "data"});
  Input("code", "x", true);
  EXPECT_EQ(Violation(), "");
  Input("code", "y", true);
  EXPECT_NE(Violation().find("has ended"), std::string::npos);
}

TEST_F(RunStreamTest, InputsDoNotMix) {
  StartWithInputs({"code", "data"});
  Input("code", "x");
  Input("data", "y");
  EXPECT_NE(Violation().find("before the end of 'code'"), std::string::npos);
}

TEST_F(RunStreamTest, StdinBeforeTheEndOfEveryInputEndsTheCall) {
  StartWithInputs({"code"}, true);
  Stdin();
  EXPECT_NE(Violation().find("before the end of every input"), std::string::npos);
}

TEST_F(RunStreamTest, StdinFollowsTheInputs) {
  StartWithInputs({"code"}, true);
  Input("code", "x", true);
  Stdin();
  EXPECT_EQ(Violation(), "");
}

TEST_F(RunStreamTest, APieceOfAnInputIsAtMostOneMebibyte) {
  StartWithInputs({"code"});
  Input("code", std::string((std::size_t{1} << 20U) + 1, 'x'));
  EXPECT_NE(Violation().find("1 MiB"), std::string::npos);
}

TEST_F(RunStreamTest, AHalfCloseAmidAnInputIsAnEndToTheRun) {
  StartWithInputs({"code"});
  stream_->OnReadEnd();
  EXPECT_EQ(uploads_->Next({.stop = {}, .deadline = Deadline::Never()}).error().Reason(),
            "INPUT_MISSING");
}

TEST_F(RunStreamTest, PiecesOfOutputsPauseTheProducerLikeOutput) {
  Start();
  int resumed = 0;
  stream_->SetResume([&resumed] { ++resumed; });
  const std::string piece(EventQueue::kMaxOutputBytes / 2, 'x');
  EXPECT_TRUE(*stream_->OnOutputPiece("results", piece));
  EXPECT_TRUE(*stream_->OnOutputPiece("results", piece));
  EXPECT_FALSE(*stream_->OnOutputPiece("results", piece));
  EXPECT_EQ(resumed, 0);
  Flush();
  EXPECT_EQ(resumed, 1);
  EXPECT_EQ(port_.written.size(), 3U);
  EXPECT_EQ(port_.written[0].output_piece().name(), "results");
  EXPECT_EQ(port_.written[0].output_piece().data(), piece);
}

TEST_F(RunStreamTest, TheEndOfAnOutputSaysWhatWasLeftBehind) {
  Start();
  run::OutputSummary summary;
  summary.archive.entries = 2;
  summary.archive.bytes = 5;
  summary.omissions = {.listed = {{"a/link", "symbolic-link"}}, .count = 7};
  EXPECT_TRUE(stream_->OnOutputEnd("results", summary, ""));
  const v1::OutputEnd& end = port_.written.at(0).output_piece().end();
  EXPECT_EQ(end.entries(), 2U);
  EXPECT_EQ(end.bytes(), 5U);
  EXPECT_EQ(end.omissions(0).path(), "a/link");
  EXPECT_EQ(end.omissions(0).code(), "symbolic-link");
  EXPECT_EQ(end.omitted(), 7U);
}

}  // namespace
}  // namespace tidewaiter::rpc
