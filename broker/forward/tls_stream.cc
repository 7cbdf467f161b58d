#include "broker/forward/tls_stream.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/printable.h"
#include "broker/forward/arrival.h"
#include "broker/io/tcp_connect.h"

namespace tidewaiter::forward {
namespace {

constexpr std::size_t kChunk = std::size_t{16} << 10U;  // of a TLS record

struct BioDeleter {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
struct CertificateDeleter {
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};

Error OutOfMemory() {
  return Fail(ErrorCode::kResourceExhausted, "prepare TLS: out of memory");
}

bool IsAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

Result<void> AddCertificates(X509_STORE* store, std::string_view pem) {
  const std::unique_ptr<BIO, BioDeleter> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!bio) return OutOfMemory();
  std::size_t count = 0;
  while (const std::unique_ptr<X509, CertificateDeleter> certificate{
      PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)}) {
    if (X509_STORE_add_cert(store, certificate.get()) != 1) return OutOfMemory();
    ++count;
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end || count == 0) {
    return Fail(ErrorCode::kInvalidArgument, "read CA certificates: not PEM, or damaged",
                "CA_FILE");
  }
  return Ok();
}

// What the certificate must be for. The subject's common name says nothing (RFC 6125, 6.4.4).
bool DemandName(SSL* session, const std::string& host) {
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(session);
  if (IsAddress(host)) return X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1;
  SSL_set_hostflags(session,
                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  // What SSL_set_tlsext_host_name does, which is a macro with an old cast in it.
  return SSL_set1_host(session, host.c_str()) == 1 &&
         SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  const_cast<char*>(host.c_str())) == 1;
}

}  // namespace

void TlsTrust::ContextDeleter::operator()(ssl_ctx_st* context) const noexcept {
  SSL_CTX_free(context);
}

void TlsStream::SessionDeleter::operator()(ssl_st* session) const noexcept {
  SSL_free(session);
}

Result<TlsTrust> TlsTrust::Create(std::string_view ca_certificates) {
  TlsTrust trust;
  trust.context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* const context = trust.context_.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_default_verify_paths(context) != 1) {
    return OutOfMemory();
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (!ca_certificates.empty()) {
    TW_TRY(AddCertificates(SSL_CTX_get_cert_store(context), ca_certificates));
  }
  return trust;
}

Result<TlsStream> TlsStream::Connect(const TlsTrust& trust, const std::string& host,
                                     std::uint16_t port, const std::stop_token& stop,
                                     Deadline deadline) {
  TW_ASSIGN(io::BlockingSocket socket, io::ConnectTcp(host, port, stop, deadline));
  // The bytes pass through memory, so that every wait is the socket's own, with deadline and token.
  Session session(SSL_new(trust.context()));
  std::unique_ptr<BIO, BioDeleter> incoming(BIO_new(BIO_s_mem()));
  std::unique_ptr<BIO, BioDeleter> outgoing(BIO_new(BIO_s_mem()));
  if (!session || !incoming || !outgoing || !DemandName(session.get(), host)) return OutOfMemory();
  SSL_set_bio(session.get(), incoming.release(), outgoing.release());
  SSL_set_connect_state(session.get());
  TlsStream stream(std::move(socket), std::move(session));
  const Result<void> shaken = stream.Shake(deadline);
  if (!shaken) return shaken.error().Within("shake hands with " + Quoted(host));
  return stream;
}

// The other side is told that this is the end and no attack (RFC 5425, 4.4), if it takes that now.
TlsStream::~TlsStream() {
  if (!session_) return;
  SSL_shutdown(session_.get());
  ERR_clear_error();
  (void)Flush(Deadline::After(Deadline::Clock::duration::zero()));
}

Result<void> TlsStream::Shake(Deadline deadline) {
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(session_.get());
    const int error = SSL_get_error(session_.get(), done);
    if (done != 1 && error != SSL_ERROR_WANT_READ) {
      Error failure = Failure("TLS");
      (void)Flush(deadline);  // the other side is told why
      return failure;
    }
    TW_TRY(Flush(deadline));
    if (done == 1) return Ok();
    TW_TRY(Feed(deadline));
  }
}

// What OpenSSL has to say goes out.
Result<void> TlsStream::Flush(Deadline deadline) {
  std::array<char, kChunk> bytes{};
  for (;;) {
    const int taken = BIO_read(SSL_get_wbio(session_.get()), bytes.data(), bytes.size());
    if (taken <= 0) return Ok();
    TW_TRY(socket_.Send({bytes.data(), static_cast<std::size_t>(taken)}, deadline));
  }
}

// What the other side says comes in; waits for it.
Result<void> TlsStream::Feed(Deadline deadline) {
  std::string came;
  TW_ASSIGN(const std::size_t size, socket_.Receive(came, kChunk, deadline));
  if (size == 0) {
    return Fail(ErrorCode::kUnavailable, "the other side has closed the connection");
  }
  if (BIO_write(SSL_get_rbio(session_.get()), came.data(), static_cast<int>(size)) <= 0) {
    return OutOfMemory();
  }
  return Ok();
}

// Also OpenSSL's own errors of this thread, which it forgets.
Error TlsStream::Failure(const char* what) const {
  const long verified = SSL_get_verify_result(session_.get());
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (verified != X509_V_OK) {
    return Fail(ErrorCode::kUnavailable,
                std::string(what) + ": certificate: " + X509_verify_cert_error_string(verified),
                "TLS_UNTRUSTED");
  }
  const char* const reason = ERR_reason_error_string(code);
  return Fail(ErrorCode::kUnavailable,
              std::string(what) + ": " + (reason != nullptr ? reason : "not TLS"));
}

Result<void> TlsStream::Send(std::string_view data, Deadline deadline) {
  while (!data.empty()) {
    ERR_clear_error();
    const std::size_t chunk = std::min(data.size(), kChunk);
    const int taken = SSL_write(session_.get(), data.data(), static_cast<int>(chunk));
    if (taken <= 0 && SSL_get_error(session_.get(), taken) == SSL_ERROR_WANT_READ) {
      TW_TRY(Flush(deadline));
      TW_TRY(Feed(deadline));
      continue;
    }
    if (taken <= 0) return Failure("TLS");
    data.remove_prefix(static_cast<std::size_t>(taken));
    TW_TRY(Flush(deadline));
  }
  return Ok();
}

// Session tickets and the like are taken; a syslog server says nothing else. A closed connection
// is an error: what arrived after it was closed was thrown away.
Result<void> TlsStream::TakeWhatCame() {
  for (;;) {
    std::array<char, 256> said{};
    ERR_clear_error();
    const int taken = SSL_read(session_.get(), said.data(), said.size());
    if (taken > 0) continue;
    const int error = SSL_get_error(session_.get(), taken);
    if (error == SSL_ERROR_ZERO_RETURN) {
      return Fail(ErrorCode::kUnavailable, "the other side has closed the connection");
    }
    if (error != SSL_ERROR_WANT_READ) return Failure("TLS");
    const Result<void> more = Feed(Deadline::After(Deadline::Clock::duration::zero()));
    if (more) continue;
    if (more.error().code == ErrorCode::kDeadlineExceeded) return Ok();
    return more.error();
  }
}

Result<void> TlsStream::Confirm(Deadline deadline) {
  TW_TRY(AwaitArrival(socket_, deadline));
  return TakeWhatCame();
}

}  // namespace tidewaiter::forward
