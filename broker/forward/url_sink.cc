#include "broker/forward/url_sink.h"

#include <cstddef>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::forward {

UrlSink::UrlSink(std::string url, std::string ca_certificates, std::unique_ptr<io::EventLoop> loop,
                 std::unique_ptr<io::HttpClient> http)
    : url_(std::move(url)),
      ca_certificates_(std::move(ca_certificates)),
      loop_(std::move(loop)),
      http_(std::move(http)) {}

Result<std::unique_ptr<UrlSink>> UrlSink::Create(std::string url, std::string ca_certificates) {
  TW_ASSIGN(std::unique_ptr<io::EventLoop> loop, io::EventLoop::Start());
  TW_ASSIGN(std::unique_ptr<io::HttpClient> http, io::HttpClient::Create(*loop));
  return std::unique_ptr<UrlSink>(
      new UrlSink(std::move(url), std::move(ca_certificates), std::move(loop), std::move(http)));
}

std::string UrlSink::Name() const {
  return Quoted(url_.substr(0, url_.find('?')));
}

Result<io::HttpResponse> UrlSink::Ask(const std::string& method, const std::string& body,
                                      const std::stop_token& stop, Deadline deadline) {
  constexpr std::size_t kMostAnswer = std::size_t{64} << 10U;
  io::HttpRequest request;
  request.method = method;
  request.url = url_;
  if (!body.empty()) request.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
  request.body = body;
  request.ca_certificates = ca_certificates_;
  request.max_response_bytes = kMostAnswer;
  return http_->Fetch(request, stop, deadline);
}

Error UrlSink::Refused(const std::string& method, long status) const {
  return Fail(ErrorCode::kUnavailable,
              "send '" + method + " " + Name().substr(1) + ": status " + std::to_string(status));
}

Result<std::optional<std::string>> UrlSink::Kept(const std::stop_token& stop, Deadline deadline) {
  TW_ASSIGN(io::HttpResponse response, Ask("GET", "", stop, deadline));
  if (response.status >= 200 && response.status < 300) {
    return std::optional<std::string>(std::move(response.body));
  }
  if (response.status >= 400 && response.status < 500) return std::optional<std::string>();
  return Refused("GET", response.status);
}

Result<void> UrlSink::Publish(const std::string& note, const std::stop_token& stop,
                              Deadline deadline) {
  TW_ASSIGN(const io::HttpResponse response, Ask("PUT", note, stop, deadline));
  if (response.status >= 200 && response.status < 300) return Ok();
  return Refused("PUT", response.status);
}

}  // namespace tidewaiter::forward
