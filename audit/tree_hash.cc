#include "audit/tree_hash.h"

namespace tidewaiter::audit {
namespace {

constexpr std::string_view kLeafPrefix("\x00", 1);
constexpr std::string_view kNodePrefix("\x01", 1);

std::string_view BytesOf(const Hash& hash) {
  // A hash is unsigned char to OpenSSL, and text is char to us.
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace

Hash TreeHasher::Leaf(std::string_view entry) {
  sha_.Add(kLeafPrefix);
  sha_.Add(entry);
  return sha_.Finish();
}

Hash TreeHasher::Node(const Hash& left, const Hash& right) {
  sha_.Add(kNodePrefix);
  sha_.Add(BytesOf(left));
  sha_.Add(BytesOf(right));
  return sha_.Finish();
}

Hash TreeHasher::Empty() {
  return sha_.Finish();
}

}  // namespace tidewaiter::audit
