#include "tests/support/tls_server.h"

#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <utility>

namespace tidewaiter::testing {
namespace {

void Check(bool done) {
  if (!done) std::abort();
}

void AskForClients(SSL_CTX* context, const std::string& authority) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(authority.data(), static_cast<int>(authority.size())), &BIO_free);
  const TestCertificate trusted(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr),
                                &X509_free);
  Check(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), trusted.get()) == 1);
  // As the API server does: who has no certificate may say otherwise who it is.
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
}

UniqueFd Listen(std::uint16_t& port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&address));
  socklen_t size = sizeof(address);
  Check(::bind(fd.get(), generic, size) == 0 && ::listen(fd.get(), 16) == 0 &&
        ::getsockname(fd.get(), generic, &size) == 0);
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

std::string TlsPeer::client() const {
  const TestCertificate certificate(SSL_get1_peer_certificate(session_), &X509_free);
  if (!certificate) return {};
  std::array<char, 256> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name.data(),
                            static_cast<int>(name.size()));
  return name.data();
}

std::string TlsPeer::asked_name() const {
  const char* const name = SSL_get_servername(session_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

bool TlsPeer::Receive() {
  std::array<char, 4096> bytes{};
  const int got = SSL_read(session_, bytes.data(), static_cast<int>(bytes.size()));
  if (got > 0) unread_.append(bytes.data(), static_cast<std::size_t>(got));
  return got > 0;
}

std::string TlsPeer::ReadHead() {
  constexpr std::string_view kEnd = "\r\n\r\n";
  std::size_t end = 0;
  while ((end = unread_.find(kEnd)) == std::string::npos) {
    if (!Receive()) return {};
  }
  return Read(end + kEnd.size());
}

std::string TlsPeer::Read(std::size_t bytes) {
  while (unread_.size() < bytes && Receive()) {
  }
  std::string data = unread_.substr(0, bytes);
  unread_.erase(0, bytes);
  return data;
}

bool TlsPeer::Send(std::string_view data) const {
  return data.empty() || SSL_write(session_, data.data(), static_cast<int>(data.size())) > 0;
}

bool TlsPeer::Answer(int status, std::string_view body) const {
  return Send("HTTP/1.1 " + std::to_string(status) + " Scripted\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
}

TlsServer::TlsServer(const TestAuthority::Issued& own, const std::string& client_authority,
                     Script script)
    : script_(std::move(script)), context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
  SSL_CTX* const context = context_.get();
  Check(SSL_CTX_use_certificate(context, own.certificate.get()) == 1 &&
        SSL_CTX_use_PrivateKey(context, own.key.get()) == 1);
  // Sessions that are resumed need a name, where clients show certificates.
  const std::array<unsigned char, 4> name{'t', 'e', 's', 't'};
  SSL_CTX_set_session_id_context(context, name.data(), name.size());
  if (!client_authority.empty()) AskForClients(context, client_authority);
  listener_ = Listen(port_);
  acceptor_ = std::thread([this] { Accept(); });
}

TlsServer::~TlsServer() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (Peer& peer : peers_) {
      if (peer.fd) ::shutdown(peer.fd.get(), SHUT_RDWR);
    }
  }
  for (Peer& peer : peers_) peer.thread.join();
}

void TlsServer::Accept() {
  // OpenSSL writes to clients that have gone; the one that is tested must not. The connections'
  // threads inherit it.
  sigset_t pipe{};
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  while (!stopping_) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) continue;
    const std::lock_guard lock(mutex_);
    Peer& peer = peers_.emplace_back();
    peer.fd = std::move(fd);
    peer.thread = std::thread([this, &peer, raw = peer.fd.get()] { Serve(peer, raw); });
  }
}

void TlsServer::Serve(Peer& peer, int fd) {
  {
    const std::unique_ptr<SSL, decltype(&SSL_free)> session(SSL_new(context_.get()), &SSL_free);
    SSL_set_fd(session.get(), fd);
    if (SSL_accept(session.get()) == 1) {
      ++connections_;
      TlsPeer connection(session.get());
      script_(connection);
      SSL_shutdown(session.get());
    }
  }
  // Under the lock: the destructor must not shut down a number that has been closed.
  const std::lock_guard lock(mutex_);
  peer.fd.Reset();
}

}  // namespace tidewaiter::testing
