// A loop and a client for tests against a scripted server.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "broker/io/http_client.h"
#include "tests/support/scripted_server.h"
#include "tests/unit/io/on_loop.h"

namespace tidewaiter::io {

class HttpFixture : public ::testing::Test {
 protected:
  using Server = tidewaiter::testing::ScriptedServer;
  using Peer = tidewaiter::testing::ScriptedConnection;

  HttpFixture() : loop_(StartLoop()) {
    Result<std::unique_ptr<HttpClient>> client = HttpClient::Create(*loop_);
    EXPECT_TRUE(client.has_value());
    client_ = std::move(client).value_or(nullptr);
  }

  static HttpRequest To(const Server& server, std::string method = "GET") {
    HttpRequest request;
    request.method = std::move(method);
    request.url = "http://engine/thing?query=secret";
    request.unix_socket = server.socket_path();
    return request;
  }

  Result<HttpResponse> Fetch(const HttpRequest& request) {
    return client_->Fetch(request, {}, Soon());
  }

  const std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<HttpClient> client_;
};

// Answers every request of a connection with 200 and `body`.
inline tidewaiter::testing::ScriptedServer::Script AnswerAll(std::string body) {
  return [body = std::move(body)](tidewaiter::testing::ScriptedConnection& peer) {
    while (!peer.ReadHead().empty() && peer.Answer(200, body)) {
    }
  };
}

// Says what a test does not expect to be said.
inline std::string Text(const Result<HttpResponse>& result) {
  return result ? "status " + std::to_string(result->status) + ": " + result->body
                : std::string(result.error().Reason()) + ": " + result.error().message;
}

}  // namespace tidewaiter::io
