// Checkpoints at a URL: each replaces the last by PUT. A loop and a client of its own, so that
// neither has to outlive the other in the daemon's order of stopping.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "broker/forward/checkpoint_sink.h"
#include "broker/io/event_loop.h"
#include "broker/io/http_client.h"

namespace tidewaiter::forward {

class UrlSink final : public CheckpointSink {
 public:
  // `ca_certificates`: PEM, believed besides the system's. Errors: RESOURCE_EXHAUSTED.
  static Result<std::unique_ptr<UrlSink>> Create(std::string url, std::string ca_certificates);

  // Without the query, which may be a secret.
  [[nodiscard]] std::string Name() const override;
  // By GET. An answer that is neither 2xx nor 4xx is an error: what is kept there is not known.
  Result<std::optional<std::string>> Kept(const std::stop_token& stop, Deadline deadline) override;
  // Errors: HttpClient::Fetch's; UNAVAILABLE where the answer is no 2xx.
  Result<void> Publish(const std::string& note, const std::stop_token& stop,
                       Deadline deadline) override;

 private:
  UrlSink(std::string url, std::string ca_certificates, std::unique_ptr<io::EventLoop> loop,
          std::unique_ptr<io::HttpClient> http);

  Result<io::HttpResponse> Ask(const std::string& method, const std::string& body,
                               const std::stop_token& stop, Deadline deadline);
  [[nodiscard]] Error Refused(const std::string& method, long status) const;

  const std::string url_;
  const std::string ca_certificates_;
  const std::unique_ptr<io::EventLoop> loop_;
  const std::unique_ptr<io::HttpClient> http_;
};

}  // namespace tidewaiter::forward
