// What the configuration says about the registries. Plain data.
#pragma once

#include <chrono>
#include <cstddef>
#include <set>
#include <string>

namespace tidewaiter::registry {

struct RegistrySettings {
  // "HOST:PORT" of registries spoken to without TLS; honoured only where HOST is a loopback
  // address.
  std::set<std::string> plain_http;
  // A docker config.json; empty: every registry is asked anonymously. Read again for every use, so
  // that a renewed token needs no restart.
  std::string auth_file;
  // CA certificates in PEM that are trusted besides the system's; may be empty.
  std::string ca_certificates;
  std::chrono::milliseconds call_timeout{std::chrono::seconds(15)};
  // How long a confirmed tag stays confirmed. Refusals are never remembered. Zero: ask every time.
  std::chrono::milliseconds tag_memory{std::chrono::seconds(60)};
  std::size_t tag_memory_entries = 1024;
};

}  // namespace tidewaiter::registry
