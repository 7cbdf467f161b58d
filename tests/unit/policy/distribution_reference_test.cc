// Every reference of the tests of distribution/reference, the parser that Docker's and containerd's
// names come from (https://github.com/distribution/reference: reference_test.go, normalize_test.go,
// regexp_test.go), and what becomes of it here: its canonical form, or a refusal. The tables
// "Stricter" hold what that parser admits and this one refuses, with the reason
// (docs/POLICY.md, "Images").
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/image_reference.h"
#include "policy/repository_name.h"

namespace tidewaiter::policy {
namespace {

const std::string kF64 = "@sha256:" + std::string(64, 'f');
const std::string kF128 = "@sha512:" + std::string(128, 'f');
const std::string kHex = "dbcc1c35ac38df41fd2f5e4130b32ffdb93ebae8b3dbe638c23575912276fc9c";
const std::string kId = "1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a";

struct Row {
  std::string text;
  std::string canonical;
};

void ExpectCanonical(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const auto image = ParseImageReference(row.text);
    ASSERT_TRUE(image.has_value()) << row.text << ": " << image.error().message;
    EXPECT_EQ(image->Canonical(), row.canonical) << row.text;
  }
}

void ExpectRefused(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    EXPECT_FALSE(ParseImageReference(text).has_value()) << text;
  }
}

std::string Repeat(const std::string& text, std::size_t count) {
  std::string repeated;
  for (std::size_t i = 0; i < count; ++i) repeated += text;
  return repeated;
}

// TestReferenceParse, TestSerialization, TestDomainAndPath, TestWithTag; names without a registry
// are Docker Hub's, as ParseNormalizedNamed reads them.
TEST(DistributionReference, ReferenceTestParses) {
  const std::string digest =
      "@sha256:1234567890098765432112345667890098765432112345667890098765432112";
  ExpectCanonical({
      {"test_com", "docker.io/library/test_com"},
      {"test.com:tag", "docker.io/library/test.com:tag"},
      {"test.com:5000", "docker.io/library/test.com:5000"},
      {"test.com/repo:tag", "test.com/repo:tag"},
      {"test:5000/repo", "test:5000/repo"},
      {"test:5000/repo:tag", "test:5000/repo:tag"},
      {"test:5000/repo" + kF64, "test:5000/repo" + kF64},
      {"test:5000/repo:tag" + kF64, "test:5000/repo:tag" + kF64},
      {"lowercase:Uppercase", "docker.io/library/lowercase:Uppercase"},
      {"sub-dom1.foo.com/bar/baz/quux", "sub-dom1.foo.com/bar/baz/quux"},
      {"sub-dom1.foo.com/bar/baz/quux:some-long-tag",
       "sub-dom1.foo.com/bar/baz/quux:some-long-tag"},
      {"b.gcr.io/test.example.com/my-app:test.example.com",
       "b.gcr.io/test.example.com/my-app:test.example.com"},
      {"xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com/myimage:xn--n3h.com"},
      {"xn--7o8h.com/myimage:xn--7o8h.com" + kF128, "xn--7o8h.com/myimage:xn--7o8h.com" + kF128},
      {"foo_bar.com:8080", "docker.io/library/foo_bar.com:8080"},
      {"foo/foo_bar.com:8080", "docker.io/foo/foo_bar.com:8080"},
      {"192.168.1.1", "docker.io/library/192.168.1.1"},
      {"192.168.1.1:tag", "docker.io/library/192.168.1.1:tag"},
      {"192.168.1.1:5000", "docker.io/library/192.168.1.1:5000"},
      {"192.168.1.1/repo", "192.168.1.1/repo"},
      {"192.168.1.1:5000/repo", "192.168.1.1:5000/repo"},
      {"192.168.1.1:5000/repo:5050", "192.168.1.1:5000/repo:5050"},
      {"[2001:db8::1]/repo", "[2001:db8::1]/repo"},
      {"[2001:db8:1:2:3:4:5:6]/repo:tag", "[2001:db8:1:2:3:4:5:6]/repo:tag"},
      {"[2001:db8::1]:5000/repo", "[2001:db8::1]:5000/repo"},
      {"[2001:db8::1]:5000/repo:tag", "[2001:db8::1]:5000/repo:tag"},
      {"[2001:db8::1]:5000/repo" + kF64, "[2001:db8::1]:5000/repo" + kF64},
      {"[2001:db8::1]:5000/repo:tag" + kF64, "[2001:db8::1]:5000/repo:tag" + kF64},
      {"[2001:db8::]:5000/repo", "[2001:db8::]:5000/repo"},
      {"[::1]:5000/repo", "[::1]:5000/repo"},
      {"example.com:8000/named", "example.com:8000/named"},
      {"example.com:8000/named:tagged", "example.com:8000/named:tagged"},
      {"other.com/named" + digest, "other.com/named" + digest},
      {"test.com/foo", "test.com/foo"},
      {"test_com/foo", "docker.io/test_com/foo"},
      {"test:8080/foo", "test:8080/foo"},
      {"test.com:8080/foo", "test.com:8080/foo"},
      {"test-com:8080/foo", "test-com:8080/foo"},
      {"xn--n3h.com:18080/foo", "xn--n3h.com:18080/foo"},
      {"test.com/foo:tag", "test.com/foo:tag"},
      {"foo:tag2", "docker.io/library/foo:tag2"},
      {"test.com:8000/foo:tag4", "test.com:8000/foo:tag4"},
      {"test.com:8000/foo:TAG5", "test.com:8000/foo:TAG5"},
      {"library/foo", "docker.io/library/foo"},
      {"docker.io/library/foo", "docker.io/library/foo"},
      {"docker.io/foo", "docker.io/library/foo"},
  });
}

TEST(DistributionReference, ReferenceTestRefuses) {
  ExpectRefused({
      "",
      ":justtag",
      kF64,
      "repo@sha256:ffffffffffffffffffffffffffffffffff",
      "validname@invaliddigest:" + std::string(64, 'f'),
      "Uppercase:tag",
      "test:5000/Uppercase/lowercase:tag",
      Repeat("a/", 128) + "a:tag",
      "aa/asdf$$^/aa",
      "[2001:db8::1]",
      "[2001:db8::1]:5000",
      "[2001:db8::1]:tag",
      "[fe80::1%eth0]:5000/repo",
      "[fe80::1%@invalidzone]:5000/repo",
  });
}

TEST(DistributionReference, ReferenceTestStricter) {
  ExpectRefused({
      // 255 bytes bound the whole name, the registry that is filled in included.
      Repeat("a/", 127) + "a:tag-puts-this-over-max",
      // A first word in upper case without '.' and ':' is no registry.
      "Uppercase/lowercase:tag",
      // A digest has its algorithm's length (WithTag and WithDigest do not look).
      "test.com:8000/foo:TAG5@sha256:1234567890098765432112345667890098765",
      "test.com/foo@sha256:1234567890098765432112345667890098765",
      "foo@sha256:1234567890098765432112345667890098765",
      "test.com:8000/foo@sha256:1234567890098765432112345667890098765",
      "test.com:8000/foo:latest@sha256:1234567890098765432112345667890098765",
  });
}

// TestValidateReferenceName, TestValidateRemoteName, TestParseRepositoryInfo,
// TestParseReferenceWithTagAndDigest, TestParseAnyReference, TestNormalizedSplitHostname.
TEST(DistributionReference, NormalizeTestParses) {
  const std::string digest =
      "@sha256:86e0e091d0da6bde2456dbb48306f3956bbeb2eae1b5b9a43045843f69fe4aaa";
  const std::string song = "thisisthesongthatneverendsitgoesonandonandonthisisthesongthatnev";
  ExpectCanonical({
      {"docker/docker", "docker.io/docker/docker"},
      {"library/debian", "docker.io/library/debian"},
      {"debian", "docker.io/library/debian"},
      {"docker.io/docker/docker", "docker.io/docker/docker"},
      {"docker.io/library/debian", "docker.io/library/debian"},
      {"docker.io/debian", "docker.io/library/debian"},
      {"index.docker.io/docker/docker", "docker.io/docker/docker"},
      {"index.docker.io/library/debian", "docker.io/library/debian"},
      {"index.docker.io/debian", "docker.io/library/debian"},
      {"127.0.0.1:5000/docker/docker", "127.0.0.1:5000/docker/docker"},
      {"127.0.0.1:5000/library/debian", "127.0.0.1:5000/library/debian"},
      {"127.0.0.1:5000/debian", "127.0.0.1:5000/debian"},
      {"192.168.0.1", "docker.io/library/192.168.0.1"},
      {"192.168.0.1:80", "docker.io/library/192.168.0.1:80"},
      {"192.168.0.1:8/debian", "192.168.0.1:8/debian"},
      {"192.168.0.2:25000/debian", "192.168.0.2:25000/debian"},
      {song, "docker.io/library/" + song},
      {"[fc00::1]:5000/docker", "[fc00::1]:5000/docker"},
      {"[fc00::1]:5000/docker/docker", "[fc00::1]:5000/docker/docker"},
      {"[fc00:1:2:3:4:5:6:7]:5000/library/debian", "[fc00:1:2:3:4:5:6:7]:5000/library/debian"},
      {"docker.io/" + kId, "docker.io/library/" + kId},
      {"docker-rules/docker", "docker.io/docker-rules/docker"},
      {"docker---rules/docker", "docker.io/docker---rules/docker"},
      {"doc/docker", "docker.io/doc/docker"},
      {"d/docker", "docker.io/d/docker"},
      {"jess/t", "docker.io/jess/t"},
      {"dock__er/docker", "docker.io/dock__er/docker"},
      {"fooo/bar", "docker.io/fooo/bar"},
      {"docker.io/fooo/bar", "docker.io/fooo/bar"},
      {"index.docker.io/fooo/bar", "docker.io/fooo/bar"},
      {"ubuntu", "docker.io/library/ubuntu"},
      {"library/ubuntu", "docker.io/library/ubuntu"},
      {"docker.io/library/ubuntu", "docker.io/library/ubuntu"},
      {"nonlibrary/ubuntu", "docker.io/nonlibrary/ubuntu"},
      {"docker.io/nonlibrary/ubuntu", "docker.io/nonlibrary/ubuntu"},
      {"other/library", "docker.io/other/library"},
      {"docker.io/other/library", "docker.io/other/library"},
      {"127.0.0.1:8000/private/moonbase", "127.0.0.1:8000/private/moonbase"},
      {"127.0.0.1:8000/privatebase", "127.0.0.1:8000/privatebase"},
      {"example.com/private/moonbase", "example.com/private/moonbase"},
      {"example.com/privatebase", "example.com/privatebase"},
      {"example.com:8000/private/moonbase", "example.com:8000/private/moonbase"},
      {"example.com:8000/privatebasee", "example.com:8000/privatebasee"},
      {"ubuntu-12.04-base", "docker.io/library/ubuntu-12.04-base"},
      {"docker.io/library/ubuntu-12.04-base", "docker.io/library/ubuntu-12.04-base"},
      {"index.docker.io/library/ubuntu-12.04-base", "docker.io/library/ubuntu-12.04-base"},
      {"foo", "docker.io/library/foo"},
      {"docker.io/foo", "docker.io/library/foo"},
      {"docker.io/library/foo", "docker.io/library/foo"},
      {"library/foo/bar", "docker.io/library/foo/bar"},
      {"docker.io/library/foo/bar", "docker.io/library/foo/bar"},
      {"store/foo/bar", "docker.io/store/foo/bar"},
      {"docker.io/store/foo/bar", "docker.io/store/foo/bar"},
      {"busybox:latest" + digest, "docker.io/library/busybox:latest" + digest},
      {"redis", "docker.io/library/redis"},
      {"redis:latest", "docker.io/library/redis:latest"},
      {"docker.io/library/redis:latest", "docker.io/library/redis:latest"},
      {"redis@sha256:" + kHex, "docker.io/library/redis@sha256:" + kHex},
      {"docker.io/library/redis@sha256:" + kHex, "docker.io/library/redis@sha256:" + kHex},
      {"dmcgowan/myapp", "docker.io/dmcgowan/myapp"},
      {"dmcgowan/myapp:latest", "docker.io/dmcgowan/myapp:latest"},
      {"docker.io/mcgowan/myapp:latest", "docker.io/mcgowan/myapp:latest"},
      {"dmcgowan/myapp@sha256:" + kHex, "docker.io/dmcgowan/myapp@sha256:" + kHex},
      {"docker.io/dmcgowan/myapp@sha256:" + kHex, "docker.io/dmcgowan/myapp@sha256:" + kHex},
      {kHex.substr(0, 63), "docker.io/library/" + kHex.substr(0, 63)},
      {"dbcc1", "docker.io/library/dbcc1"},
      {"test_com/foo", "docker.io/test_com/foo"},
      {"docker/migrator", "docker.io/docker/migrator"},
  });
}

TEST(DistributionReference, NormalizeTestRefuses) {
  ExpectRefused({
      "https://github.com/docker/docker",
      "docker/Docker",
      "-docker",
      "-docker/docker",
      "-docker.io/docker/docker",
      "docker///docker",
      "docker.io/docker/Docker",
      "docker.io/docker///docker",
      "[fc00::1]",
      "[fc00::1]:5000",
      "fc00::1:5000/debian",
      "[fe80::1%eth0]:5000/debian",
      "[2001:db8:3:4::192.0.2.33]:5000/debian",
      kId,
      "docker-/docker",
      "-docker-/docker",
      "____/____",
      "_docker/_docker",
      "dock..er/docker",
      "dock_.er/docker",
      "dock-.er/docker",
      "docker/",
      Repeat("this_is_not_a_valid_namespace_because_its_lenth_is_greater_than_255_", 4) + "/docker",
      "-foo",
      "busybox:-foo",
      "busybox@foo",
  });
}

TEST(DistributionReference, NormalizeTestStricter) {
  // A first word in upper case without '.' and ':' is no registry: in lower case it would turn into
  // a path on Docker Hub.
  ExpectRefused({"Docker/docker", "DOCKER/docker", "Foo/bar", "FOO/bar"});
  // ParseAnyReference reads an image's id where there is no name. An id is no name here.
  ExpectRefused({kHex});
  // Nor is one with its algorithm: as for ParseNormalizedNamed it is a name and a tag.
  ExpectCanonical({{"sha256:" + kHex, "docker.io/library/sha256:" + kHex}});
}

// TestDomainRegexp. A host in upper case is lower-cased before it is compared.
TEST(DistributionReference, DomainRegexpTest) {
  for (const char* host :
       {"test.com", "test.com:10304", "localhost", "localhost:8080", "a", "a.b", "ab.cd.com",
        "a-b.com", "ab.c-om", "0101.com", "001a.com", "b.gbc.io:443", "b.gbc.io", "xn--n3h.com"}) {
    EXPECT_TRUE(IsRegistryName(host)) << host;
  }
  ExpectCanonical({{"Asdf.com/x", "asdf.com/x"}});
  for (const char* host :
       {"test.com:http", "-ab.com", "ab-.com", "ab.-com", "ab.com-", "[fd00:1:2::3]75050",
        "[fd00:1:2::3]::75050", "[fd00:1:2::3%eth0]:75050", "fd00:1:2::3:75050"}) {
    EXPECT_FALSE(IsRegistryName(host)) << host;
  }
  // Stricter: a port is at most 65535, and an address is one. ("It will fail on validation", as
  // that test says of its own.)
  for (const char* host :
       {"192.168.1.1:75050", "192.168.1.1:750050", "[fd00:1:2::3]:75050", "[fd00123123123]:75050",
        "[2001:0db8:85a3:0000:0000:8a2e:0370:7334]:75050",
        "[2001:0db8:85a3:0000:0000:8a2e:0370:7334]:750505"}) {
    EXPECT_FALSE(IsRegistryName(host)) << host;
  }
  EXPECT_TRUE(IsRegistryName("[2001:0db8:85a3:0000:0000:8a2e:0370:7334]:7505"));
}

// TestFullNameRegexp, whose first word is a registry only where it has a '.', a ':' or is
// "localhost".
TEST(DistributionReference, FullNameRegexpTest) {
  ExpectCanonical({
      {"short", "docker.io/library/short"},
      {"simple/name", "docker.io/simple/name"},
      {"docker/stevvooe/app", "docker.io/docker/stevvooe/app"},
      {"aa/aa/aa/aa/aa/aa/aa/aa/aa/bb/bb/bb/bb/bb/bb",
       "docker.io/aa/aa/aa/aa/aa/aa/aa/aa/aa/bb/bb/bb/bb/bb/bb"},
      {"aa/aa/bb/bb/bb", "docker.io/aa/aa/bb/bb/bb"},
      {"a/a/a/a", "docker.io/a/a/a/a"},
      {"a", "docker.io/library/a"},
      {"a/aa", "docker.io/a/aa"},
      {"a/aa/a", "docker.io/a/aa/a"},
      {"foo.com", "docker.io/library/foo.com"},
      {"foo.com:8080/bar", "foo.com:8080/bar"},
      {"foo.com/bar", "foo.com/bar"},
      {"foo.com/bar/baz", "foo.com/bar/baz"},
      {"localhost:8080/bar", "localhost:8080/bar"},
      {"blog.foo.com/bar/baz", "blog.foo.com/bar/baz"},
      {"aa-a/a", "docker.io/aa-a/a"},
      {"foo_bar", "docker.io/library/foo_bar"},
      {"foo_bar.com", "docker.io/library/foo_bar.com"},
      {"foo.com/foo_bar", "foo.com/foo_bar"},
      {"b.gcr.io/test.example.com/my-app", "b.gcr.io/test.example.com/my-app"},
      {"xn--n3h.com/myimage", "xn--n3h.com/myimage"},
      {"xn--7o8h.com/myimage", "xn--7o8h.com/myimage"},
      {"example.com/xn--7o8h.com/myimage", "example.com/xn--7o8h.com/myimage"},
      {"example.com/some_separator__underscore/myimage",
       "example.com/some_separator__underscore/myimage"},
      {"do__cker/docker", "docker.io/do__cker/docker"},
      {"registry.io/foo/project--id.module--name.ver---sion--name",
       "registry.io/foo/project--id.module--name.ver---sion--name"},
      {"Asdf.com/foo/bar", "asdf.com/foo/bar"},
  });
  ExpectRefused({
      "",
      "a/a/a/a/",
      "a//a/a",
      "foo.com/",
      "foo.com:http/bar",
      "a^a",
      "aa/asdf$$^/aa",
      "asdf$$^/aa",
      "a-/a/a/a",
      "foo.com/a-/a/a",
      "-foo/bar",
      "foo/bar-",
      "foo-/bar",
      "foo/-bar",
      "_foo/bar",
      "foo_bar.com:8080/app",
      "____/____",
      "_docker/_docker",
      "docker_/docker_",
      "example.com/__underscore/myimage",
      "example.com/..dots/myimage",
      "example.com/.dots/myimage",
      "example.com/nodouble..dots/myimage",
      "docker./docker",
      ".docker/docker",
      "docker-/docker",
      "-docker/docker",
      "do..cker/docker",
      "do__cker:8080/docker",
      "Foo/FarB",
      // The expression has no bound; the name has.
      Repeat("a/", 128) + "a",
  });
}

// TestReferenceRegexp and TestIdentifierRegexp.
TEST(DistributionReference, ReferenceRegexpTest) {
  const std::string digest =
      "@sha256:be178c0543eb17f5f3043021c9e5fcf30285e557a4fc309cce97ff9ca6182912";
  ExpectCanonical({
      {"registry.com:8080/myapp:tag", "registry.com:8080/myapp:tag"},
      {"registry.com:8080/myapp" + digest, "registry.com:8080/myapp" + digest},
      {"registry.com:8080/myapp:tag2" + digest, "registry.com:8080/myapp:tag2" + digest},
      {"localhost:8080" + digest, "docker.io/library/localhost:8080" + digest},
      {"localhost:8080/name" + digest, "localhost:8080/name" + digest},
      {"localhost" + digest, "docker.io/library/localhost" + digest},
      {"da304e823d8ca2b9d863a3c897baeb852ba21ea9a9f1414736394ae7fcaf",
       "docker.io/library/da304e823d8ca2b9d863a3c897baeb852ba21ea9a9f1414736394ae7fcaf"},
      {"da304e823d8ca2b9d863a3c897baeb852ba21ea9a9f1414736394ae7fcaf98218482",
       "docker.io/library/da304e823d8ca2b9d863a3c897baeb852ba21ea9a9f1414736394ae7fcaf98218482"},
  });
  ExpectRefused({
      "registry.com:8080/myapp@sha256:badbadbadbad",
      "registry.com:8080/myapp:invalid~tag",
      "bad_hostname.com:8080/myapp:tag",
      "localhost:http/name" + digest,
      "registry.com:8080/myapp@bad",
      "registry.com:8080/myapp@2bad",
      "da304e823d8ca2b9d863a3c897baeb852ba21ea9a9f1414736394ae7fcaf9821",
      "7EC43B381E5AEFE6E04EFB0B3F0693FF2A4A50652D64AEC573905F2DB5889A1C",
  });
}

}  // namespace
}  // namespace tidewaiter::policy
