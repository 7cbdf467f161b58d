"""The checks of tests/style see what they are there to see."""
import importlib.machinery
import importlib.util
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, str(HERE / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class Planted(unittest.TestCase):
    def faults(self, check, name, text):
        """The check's faults in a tree that holds this one file."""
        with tempfile.TemporaryDirectory() as root:
            path = Path(root).resolve() / name
            path.parent.mkdir(parents=True)
            path.write_text(text)
            return list(load(check).faults(Path(root).resolve()))


class Guarantees(unittest.TestCase):
    def test_a_named_test_that_is_not_there_is_caught(self):
        page = "| guarantee | proven by |\n| it holds | `a.Suite.Is`, `Gone`; `b.Suite.*`, `c.Lost.*` |\n"
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "docs").mkdir()
            (root / "tests").mkdir()
            (root / "docs/SECURITY.md").write_text(page)
            (root / "tests/a_test.cc").write_text("TEST_F(Suite, Is) {}\n")
            self.assertEqual(list(load("guarantees").faults(root)),
                             ["docs/SECURITY.md: no test Suite.Gone", "docs/SECURITY.md: no test Lost.*"])


class Layers(Planted):
    def test_an_include_against_the_direction_is_caught(self):
        self.assertEqual(self.faults("layers", "policy/a.h", '#pragma once\n#include "broker/run/registry.h"\n'),
                         ["policy/a.h:2: policy must not include broker/run ('broker/run/registry.h')"])

    def test_the_client_may_not_reach_into_the_daemon(self):
        self.assertTrue(self.faults("layers", "client/a.cc", '#include "broker/daemon/daemon.h"\n'))

    def test_the_core_may_not_include_another_projects_header(self):
        for header in ["curl/curl.h", "grpcpp/grpcpp.h", "nlohmann/json.hpp", "archive.h", "google/protobuf/message.h"]:
            for layer in ["broker/run", "policy"]:
                with self.subTest(header=header, layer=layer):
                    self.assertTrue(self.faults("layers", f"{layer}/a.cc", f"#include <{header}>\n"))

    def test_generated_headers_count_as_proto(self):
        self.assertTrue(self.faults("layers", "policy/a.h", '#include "tidewaiter/v1/broker.pb.h"\n'))
        self.assertFalse(self.faults("layers", "wire/a.h", '#include "tidewaiter/v1/broker.pb.h"\n'))

    def test_an_indented_include_is_seen(self):
        self.assertTrue(self.faults("layers", "base/a.h", '#  include "policy/run_spec.h"\n'))

    def test_a_folder_outside_the_table_is_named(self):
        self.assertTrue(self.faults("layers", "broker/swarm/a.h", "#pragma once\n"))

    def test_an_include_along_the_direction_passes(self):
        self.assertEqual(self.faults("layers", "broker/docker/a.cc", '#include "broker/io/loop.h"\n#include <vector>\n'), [])


class Tree(Planted):
    def test_a_file_over_500_lines_is_named(self):
        self.assertIn("a/a.cc: 501 lines, more than 500", self.faults("tree", "a/a.cc", "int x;\n" * 501))

    def test_a_file_of_500_lines_may_stand_alone_but_not_set_the_median(self):
        self.assertEqual(self.faults("tree", "a/a.cc", "int x;\n" * 500),
                         ["the median file has 500 lines, not under 150"])

    def test_unfinished_words_are_named_with_their_line(self):
        for word in ["TO" + "DO", "FIX" + "ME", "place" + "holder"]:
            with self.subTest(word=word):
                self.assertEqual(self.faults("tree", "a/a.md", f"fine\n{word} here\n"),
                                 [f"a/a.md:2: unfinished by its own words: {word} here"])

    def test_the_path_of_the_checkout_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            (root / "a.md").write_text(f"see {root}/b\n")
            self.assertEqual(list(load("tree").faults(root)), [f"a.md:1: a path of one machine: see {root}/b"])


if __name__ == "__main__":
    unittest.main()
