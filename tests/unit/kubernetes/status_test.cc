#include "broker/kubernetes/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/printable.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

struct Refusal {
  const char* name;
  long code;
  const char* body;
  ErrorCode error;
  const char* reason;
};

class ClusterRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(ClusterRefuses, ByItsName) {
  const Error error = StatusError(GetParam().code, GetParam().body, "do x");
  EXPECT_EQ(error.code, GetParam().error);
  EXPECT_EQ(error.Reason(), GetParam().reason);
  EXPECT_THAT(error.message,
              HasSubstr("do x: the cluster answers " + std::to_string(GetParam().code)));
}

// Those with a long message were recorded from Kubernetes 1.20.2.
INSTANTIATE_TEST_SUITE_P(
    StatusTest, ClusterRefuses,
    ::testing::Values(
        Refusal{"BadRequest", 400, "", ErrorCode::kInvalidArgument, "CLUSTER_INVALID"},
        Refusal{"Unauthorized", 401, R"({"kind":"Status","reason":"Unauthorized","code":401})",
                ErrorCode::kFailedPrecondition, "CLUSTER_UNAUTHORIZED"},
        Refusal{"Forbidden", 403,
                R"({"kind":"Status","message":"jobs.batch is forbidden: User \"x\" cannot list)"
                R"( resource","reason":"Forbidden","details":{"kind":"jobs"},"code":403})",
                ErrorCode::kPermissionDenied, "CLUSTER_FORBIDDEN"},
        Refusal{"Quota", 403,
                R"({"kind":"Status","message":"jobs.batch \"tw-a\" is forbidden: exceeded quota:)"
                R"( few, requested: count/jobs.batch=1, used: count/jobs.batch=0, limited:)"
                R"( count/jobs.batch=0","reason":"Forbidden","code":403})",
                ErrorCode::kResourceExhausted, "QUOTA_EXCEEDED"},
        Refusal{"TerminatingByCause", 403,
                R"({"kind":"Status","message":"x","reason":"Forbidden","details":{"causes":)"
                R"([{"reason":"Other"},{"reason":"NamespaceTerminating"}]},"code":403})",
                ErrorCode::kFailedPrecondition, "NAMESPACE_TERMINATING"},
        Refusal{"TerminatingByMessage", 403,
                R"({"kind":"Status","message":"jobs.batch \"x\" is forbidden: unable to create new)"
                R"( content in namespace n because it is being terminated","code":403})",
                ErrorCode::kFailedPrecondition, "NAMESPACE_TERMINATING"},
        Refusal{"NotFound", 404,
                R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
                R"("message":"jobs.batch \"nosuch\" not found","reason":"NotFound",)"
                R"("details":{"name":"nosuch","group":"batch","kind":"jobs"},"code":404})",
                ErrorCode::kNotFound, "CLUSTER_NOT_FOUND"},
        Refusal{"NoNamespace", 404,
                R"({"kind":"Status","message":"namespaces \"n\" not found","reason":"NotFound",)"
                R"("details":{"name":"n","kind":"namespaces"},"code":404})",
                ErrorCode::kFailedPrecondition, "NAMESPACE_MISSING"},
        Refusal{"Exists", 409,
                R"({"kind":"Status","message":"jobs.batch \"a\" already exists",)"
                R"("reason":"AlreadyExists","code":409})",
                ErrorCode::kAlreadyExists, "CLUSTER_EXISTS"},
        Refusal{"Conflict", 409, R"({"kind":"Status","reason":"Conflict","code":409})",
                ErrorCode::kFailedPrecondition, "CLUSTER_CONFLICT"},
        Refusal{"ConflictOfAnotherShape", 409, R"({"reason":"AlreadyExists"})",
                ErrorCode::kFailedPrecondition, "CLUSTER_CONFLICT"},
        Refusal{"Gone", 410, "", ErrorCode::kFailedPrecondition, "CLUSTER_GONE"},
        Refusal{"Invalid", 422, "", ErrorCode::kInvalidArgument, "CLUSTER_INVALID"},
        Refusal{"Busy", 429, "Too many requests, please try again later.\n",
                ErrorCode::kResourceExhausted, "CLUSTER_BUSY"},
        Refusal{"Broken", 500, "", ErrorCode::kUnavailable, "ENGINE_UNAVAILABLE"},
        Refusal{"Unavailable", 599, "", ErrorCode::kUnavailable, "ENGINE_UNAVAILABLE"},
        Refusal{"Beyond", 600, "", ErrorCode::kInternal, "CLUSTER_ERROR"},
        Refusal{"Redirect", 307, "", ErrorCode::kInternal, "CLUSTER_ERROR"}),
    [](const auto& refusal) { return std::string(refusal.param.name); });

TEST(StatusTest, SaysWhatTheClusterSays) {
  EXPECT_EQ(StatusError(404,
                        R"({"kind":"Status","message":"jobs.batch \"a\" not found",)"
                        R"("reason":"NotFound","details":{"name":"a","kind":"jobs"}})",
                        "read job 'a'")
                .message,
            "read job 'a': the cluster answers 404 (NotFound): 'jobs.batch \"a\" not found'");
}

TEST(StatusTest, WordsOfAStrangerAreEscapedAndCut) {
  const Error error = StatusError(
      500,
      R"({"kind":"Status","reason":"\u001b[31m","message":"a\nb)" + std::string(5000, 'x') + "\"}",
      "do x");
  EXPECT_FALSE(HasControl(error.message));
  EXPECT_LT(error.message.size(), 600U);
  EXPECT_THAT(error.message, HasSubstr("a\\x0ab"));
}

TEST(StatusTest, BodyThatIsNoStatusSaysNothing) {
  for (const char* body : {"<html>", "[]", "null", R"({"kind":"Job","message":"hello"})", "{"}) {
    EXPECT_EQ(StatusError(503, body, "do x").message, "do x: the cluster answers 503") << body;
  }
}

TEST(StatusTest, EventOfAWatchIsReadLikewise) {
  // Recorded: the answer to a watch from resourceVersion 1.
  const Json status = Json::parse(
      R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":)"
      R"j("too old resource version: 1 (478)","reason":"Expired","code":410})j");
  EXPECT_EQ(StatusError(status, "watch pods").Reason(), "CLUSTER_GONE");
  EXPECT_EQ(StatusError(Json(), "watch pods").Reason(), "CLUSTER_ERROR");
}

TEST(StatusTest, WaitOfUpToAMinuteIsTaken) {
  const auto after = [](const std::string& number) {
    return RetryAfter("", R"({"kind":"Status","details":{"retryAfterSeconds":)" + number + "}}");
  };
  EXPECT_EQ(after("1"), seconds(1));
  EXPECT_EQ(after("0"), seconds(0));
  EXPECT_EQ(after("60"), seconds(60));
  for (const char* none : {"61", "-1", "\"1\"", "null", "1e99", "99999999999999999999"}) {
    EXPECT_EQ(after(none), std::nullopt) << none;
  }
  EXPECT_EQ(RetryAfter("", "not json"), std::nullopt);
}

TEST(StatusTest, WaitOfTheHeaderIsTakenWhereNoStatusSaysOne) {
  EXPECT_EQ(RetryAfter("2", "Too many requests"), seconds(2));
  EXPECT_EQ(RetryAfter("2", R"({"details":{"retryAfterSeconds":5}})"), seconds(5));
  for (const char* none : {"", "61", "-1", "1s", "Fri, 31 Dec 1999 23:59:59 GMT"}) {
    EXPECT_EQ(RetryAfter(none, ""), std::nullopt) << none;
  }
}

}  // namespace
}  // namespace tidewaiter::kubernetes
