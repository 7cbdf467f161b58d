// What holds for every image reference, asked of random ones: the grammar's own shapes, and what
// is left of them after a few bytes were changed.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "policy/image_reference.h"
#include "tests/unit/policy/random_source.h"

namespace tidewaiter::policy {
namespace {

constexpr const char* kLower = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr const char* kWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

std::string Run(RandomSource& random, const std::string& alphabet, std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += alphabet[random.Below(alphabet.size())];
  return text;
}

std::string Segment(RandomSource& random) {
  std::string segment = Run(random, kLower, 1 + random.Below(6));
  for (std::size_t i = random.Below(3); i > 0; --i) {
    segment += random.Text({".", "_", "__", "-", "--", "---"});
    segment += Run(random, kLower, 1 + random.Below(6));
  }
  return segment;
}

std::string Host(RandomSource& random, std::set<std::string>& shapes) {
  const auto is = [&](const char* shape, const std::string& host) {
    shapes.insert(shape);
    return host;
  };
  switch (random.Below(6)) {
    case 0: return is("localhost", random.Text({"localhost", "LocalHost"}));
    case 1: return is("IPv6", random.Text({"[::1]", "[2001:db8::1]", "[2001:DB8:0:0:0:0:0:A]"}));
    case 2: return is("IPv4", random.Text({"127.0.0.1", "10.1.2.3"}));
    case 3: return is("Docker Hub", random.Text({"docker.io", "index.docker.io", "Docker.IO"}));
    case 4: return is("upper case", "GHCR.io");
    default: break;
  }
  std::string host = Run(random, kLower, 1 + random.Below(5)) + "-" + Run(random, kLower, 2);
  for (std::size_t i = 1 + random.Below(3); i > 0; --i) host += '.' + Run(random, kLower, 3);
  return is("host name", host);
}

// A reference that the grammar admits; names of the shapes that it has go into `shapes`.
std::string RandomReference(RandomSource& random, std::set<std::string>& shapes) {
  std::string text;
  if (random.Chance(80)) {
    text = Host(random, shapes);
    if (random.Chance(40)) {
      shapes.insert("port");
      text += ':' + std::to_string(1 + random.Below(65535));
    }
    text += '/';
  } else {
    shapes.insert("short name");
  }
  const std::size_t segments = random.Chance(90) ? 1 + random.Below(4) : 1 + random.Below(10);
  if (segments > 4) shapes.insert("many segments");
  // Of a short name a first segment with a '.' would be the registry.
  text += text.empty() ? Run(random, kLower, 3) + "_" + Run(random, kLower, 3) : Segment(random);
  for (std::size_t i = 1; i < segments; ++i) text += '/' + Segment(random);
  if (random.Chance(50)) {
    shapes.insert("tag");
    text +=
        ':' + Run(random, kLower, 1) + Run(random, kWord, random.Chance(5) ? 127 : random.Below(9));
  }
  if (random.Chance(50)) {
    const bool longer = random.Chance(40);
    shapes.insert(longer ? "sha512" : "sha256");
    text += (longer ? "@sha512:" : "@sha256:") + Run(random, "0123456789abcdef", longer ? 128 : 64);
  }
  return text;
}

TEST(ReferenceProperty, CanonicalFormOfEveryReferenceParsesToItself) {
  RandomSource random(5);
  std::set<std::string> shapes;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = RandomReference(random, shapes);
    const auto once = ParseImageReference(text);
    ASSERT_TRUE(once.has_value()) << text << ": " << once.error().message;
    const auto twice = ParseImageReference(once->Canonical());
    ASSERT_TRUE(twice.has_value()) << once->Canonical() << ": " << twice.error().message;
    ASSERT_EQ(*once, *twice) << text;
    ASSERT_EQ(once->Canonical(), twice->Canonical()) << text;
    // Nothing of what was asked for is lost: tag and digest are the text's own end.
    ASSERT_TRUE(text.ends_with((once->tag.empty() ? "" : ":" + once->tag) +
                               (once->digest.empty() ? "" : "@" + once->digest)))
        << text;
  }
  EXPECT_EQ(shapes, (std::set<std::string>{"Docker Hub", "IPv4", "IPv6", "host name", "localhost",
                                           "many segments", "port", "sha256", "sha512",
                                           "short name", "tag", "upper case"}));
}

std::string Mutated(RandomSource& random, std::string text) {
  for (std::size_t i = 1 + random.Below(4); i > 0; --i) {
    const std::size_t at = random.Below(text.size() + 1);
    switch (random.Below(5)) {
      case 0: text.insert(at, 1, static_cast<char>(random.Below(256))); break;
      case 1: text.insert(at, random.Text({":", "/", "@", "..", "__", "[", "]", "-", "A"})); break;
      case 2: text.erase(at, 1 + random.Below(8)); break;
      case 3: text.insert(at, text.substr(random.Below(text.size() + 1))); break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(random.Below(256));
        break;
    }
  }
  return text;
}

// A reference is safe to hand on only where printing it loses nothing.
TEST(ReferenceProperty, MutatedReferencesAreRefusedOrParseToThemselves) {
  RandomSource random(6);
  std::set<std::string> shapes;
  std::size_t refused = 0;
  std::size_t taken = 0;
  for (int i = 0; i < 40000; ++i) {
    const std::string text = Mutated(random, RandomReference(random, shapes));
    const auto once = ParseImageReference(text);
    if (!once) {
      ++refused;
      ASSERT_FALSE(once.error().message.empty());
      continue;
    }
    ++taken;
    for (const char c : once->Canonical()) ASSERT_TRUE(c > 0x20 && c < 0x7f) << text;
    const auto twice = ParseImageReference(once->Canonical());
    ASSERT_TRUE(twice.has_value()) << text << ": " << twice.error().message;
    ASSERT_EQ(*once, *twice) << text;
  }
  EXPECT_GT(refused, 1000U);
  EXPECT_GT(taken, 1000U);
}

}  // namespace
}  // namespace tidewaiter::policy
