#include "broker/rpc/request_digest.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "audit/sha256.h"

namespace tidewaiter::rpc {

std::string RequestDigest(const v1::RunSpec& spec) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    spec.SerializeToCodedStream(&coded);
  }  // which flushes
  const audit::Sha256::Digest digest = audit::Sha256::Of(bytes);
  return {digest.begin(), digest.end()};
}

}  // namespace tidewaiter::rpc
