// Whether certificates and keys can be used, before a connection needs them. Pure.
#pragma once

#include "base/result.h"
#include "broker/io/tls_identity.h"

namespace tidewaiter::kubernetes {

// Errors: INVALID_ARGUMENT (KUBECONFIG_INVALID): the CAs are no PEM of certificates; a certificate
// without a key or the other way round; a key that is encrypted, or none, or not the certificate's;
// CAs beside verify = false, which client-go takes for a mistake, too.
Result<void> CheckTlsIdentity(const io::TlsIdentity& identity);

}  // namespace tidewaiter::kubernetes
