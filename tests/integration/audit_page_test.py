#!/usr/bin/python3
"""Verifies a real broker's log by docs/AUDIT.md alone: this file shares nothing with the project but that page, RFC
6962's definitions and RFC 8032's (whose Python of section 6 the Ed25519 below follows). The log is then tampered with,
and both verifiers must say no.

Usage: audit_page_test.py FOLDER_OF_PROGRAMS [unittest options]
"""

import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def recover_x(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P:
        raise ValueError("no point")
    return P - x if (x & 1) != sign else x


def add(a, b):
    x1, y1, x2, y2 = *a, *b
    k = D * x1 * x2 * y1 * y2
    return ((x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P)


def multiply(n, point):
    result = (0, 1)
    while n:
        if n & 1:
            result = add(result, point)
        point, n = add(point, point), n >> 1
    return result


def decode(text):
    y = int.from_bytes(text, "little")
    return (recover_x(y & (2**255 - 1), y >> 255), y & (2**255 - 1))


BASE = (recover_x(4 * pow(5, P - 2, P) % P, 0), 4 * pow(5, P - 2, P) % P)


def ed25519_holds(key, message, signature):
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    return s < Q and multiply(s, BASE) == add(decode(signature[:32]), multiply(h, decode(key)))


def sha(data):
    return hashlib.sha256(data).digest()


def root_of(leaves):
    """MTH of RFC 6962, section 2.1, by its recursion."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:]))


def read_key(text):
    name, key_hash, key = text.strip().split("+", 2)
    raw = base64.b64decode(key)
    assert raw[:1] == b"\x01" and sha(name.encode() + b"\n" + raw)[:4].hex() == key_hash
    return name, bytes.fromhex(key_hash), raw[1:]


def read_checkpoints(text, name):
    """(size, root, a function that tells whether a key has signed it) of each note of a .checkpoints file."""
    blocks = text.split("\n\n")
    for body, signatures in zip(blocks[0::2], blocks[1::2]):
        lines = body.split("\n")
        assert lines[0] == name, "another log's"

        def signed_by(key, body=body, signatures=signatures):
            for line in signatures.split("\n"):
                dash, signer, blob = line.split(" ") if line else ("", "", "")
                raw = base64.b64decode(blob)
                if (dash, signer, raw[:4]) == ("\u2014", name, key[1]):
                    assert ed25519_holds(key[2], (body + "\n").encode(), raw[4:]), "not signed by the key"
                    return True
            return False

        yield int(lines[1]), base64.b64decode(lines[2]), signed_by


def verify(folder, key_text):
    """How many records there are, and how many of them are proven."""
    key = read_key(key_text)
    hints = [read_key(text) for text in (folder / "key.pub").read_text().split()]
    leaves, proven, changes, others = [], 0, [], []

    def compare(notes):
        nonlocal key, proven
        for size, root, signed_by in read_checkpoints(notes, key[0]):
            assert size <= len(leaves), "truncated"
            assert root == root_of(leaves[:size]), "a record is changed"
            key = next((to for at, of, to in changes if at < proven and of == key and signed_by(to)), key)
            if signed_by(key):
                proven = max(proven, size)
            else:
                others.append(next((each for each in hints if signed_by(each)), None))

    for path in sorted(folder.glob("*.jsonl")):
        assert int(path.stem) == len(leaves), "records are missing"
        for line in path.read_bytes().split(b"\n")[:-1]:
            record = json.loads(line)
            assert record["index"] == len(leaves), "records are missing"
            if record["type"] == "audit.key_changed":
                changes.append((len(leaves), read_key(record["log"]["former_key"]), read_key(record["log"]["key"])))
            leaves.append(sha(b"\x00" + line))
        compare(path.with_suffix(".checkpoints").read_text())
    compare((folder / "checkpoint").read_text())
    vouched = [of for at, of, _ in changes if at < proven]
    assert all(each in vouched for each in others), "not signed by the key"
    return len(leaves), proven


class AuditPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(
            prefix="tw-test-", dir=os.environ.get("TIDEWAITER_TEST_SCRATCH", "/run")))
        for name in ("state", "audit"):
            (cls.folder / name).mkdir(mode=0o700)
        policy = cls.folder / "policy.toml"
        policy.write_text(f'version = 1\n[[principal]]\nname = "tester"\nuid = {os.geteuid()}\n'
                          'roles = ["run", "operate"]\npolicy = "default"\n')
        config = cls.folder / "tidewaiter.toml"
        config.write_text(f'version = 1\nsocket = "{cls.folder}/s"\npolicy = "{policy}"\n'
                          f'state_dir = "{cls.folder}/state"\naudit_dir = "{cls.folder}/audit"\n'
                          f'[docker]\nsocket = "{cls.folder}/no-engine"\n')
        for path in (policy, config):
            path.chmod(0o600)
        cls.audit = cls.folder / "audit"
        cls.write_records(config)
        cls.former_key = (cls.audit / "key.pub").read_text()
        cls.write_records(config, change_key=True)
        cls.key = (cls.audit / "key.pub").read_text().split()[0]

    @classmethod
    def write_records(cls, config, change_key=False):
        """A broker's life with some denials, which need no engine."""
        broker = subprocess.Popen([PROGRAMS / "tidewaiterd", "--config", config], stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 20
            while not (cls.folder / "s").exists() and time.monotonic() < until:
                time.sleep(0.02)
            tool = [PROGRAMS / "tidewaiter", "--socket", cls.folder / "s"]
            for number in range(5):
                subprocess.run(tool + ["run", "evil.example/x"], stderr=subprocess.DEVNULL, timeout=60, check=False)
                if change_key and number == 2:
                    subprocess.run(tool + ["audit", "rotate-key"], stdout=subprocess.DEVNULL, timeout=60, check=True)
        finally:
            broker.terminate()
            assert broker.wait(60) == 0

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def tool(self, folder, key=None):
        return subprocess.run([PROGRAMS / "tidewaiter", "audit", "verify", folder, "--key", (key or self.key).strip()],
                              stdout=subprocess.DEVNULL, timeout=60, check=False).returncode

    def test_the_log_is_verified_to_its_last_record(self):
        records, proven = verify(self.audit, self.key)
        self.assertGreaterEqual(records, 16)
        self.assertEqual(proven, records)
        self.assertEqual(self.tool(self.audit), 0)

    def test_whoever_has_the_former_key_verifies_it_all_the_same(self):
        self.assertNotEqual(self.former_key.strip(), self.key)
        records, proven = verify(self.audit, self.former_key)
        self.assertEqual(proven, records)
        self.assertEqual(self.tool(self.audit, self.former_key), 0)

    def test_a_strangers_key_verifies_nothing(self):
        name, _, key = self.key.split("+", 2)
        raw = bytearray(base64.b64decode(key))
        raw[-1] ^= 1
        stranger = f"{name}+{sha(name.encode() + bytes([10]) + bytes(raw))[:4].hex()}+{base64.b64encode(raw).decode()}"
        self.assertEqual(self.tool(self.audit, stranger), 1)
        with self.assertRaises(AssertionError):
            verify(self.audit, stranger)

    def tampered(self, change):
        copy = self.folder / "copy"
        shutil.copytree(self.audit, copy)
        try:
            path = copy / ("0" * 20 + ".jsonl")
            lines = path.read_bytes().split(b"\n")
            change(lines)
            path.write_bytes(b"\n".join(lines))
            for key in (self.former_key, self.key):
                self.assertEqual(self.tool(copy, key), 1)
                with self.assertRaises(AssertionError):
                    verify(copy, key)
        finally:
            shutil.rmtree(copy)

    def test_a_changed_record_is_found(self):
        self.tampered(lambda lines: lines.__setitem__(3, lines[3].replace(b"evil", b"good")))

    def test_a_missing_record_is_found(self):
        self.tampered(lambda lines: lines.pop(3))

    def test_a_cut_end_is_found(self):
        self.tampered(lambda lines: lines.__delitem__(slice(-4, -1)))

    def test_a_proof_of_the_tool_holds(self):
        proof = subprocess.run([PROGRAMS / "tidewaiter", "audit", "prove", "4", "--dir", self.audit, "--key",
                                self.key.strip()], capture_output=True, timeout=60, check=True).stdout.decode()
        head, note = proof.split("\n\n", 1)
        header, extra, index, *hashes = head.split("\n")
        self.assertEqual((header, index), ("c2sp.org/tlog-proof@v1", "index 4"))
        line = base64.b64decode(extra.split(" ")[1])
        self.assertEqual(json.loads(line)["index"], 4)
        key = read_key(self.key)
        (size, root, signed_by), = read_checkpoints(note, key[0])
        self.assertTrue(signed_by(key))

        def fold(at, count, path):
            """RFC 6962, section 2.1.1: the root by PATH, from the top."""
            if count == 1:
                return sha(b"\x00" + line)
            k = 1
            while 2 * k < count:
                k *= 2
            other = base64.b64decode(path[-1])
            if at < k:
                return sha(b"\x01" + fold(at, k, path[:-1]) + other)
            return sha(b"\x01" + other + fold(at - k, count - k, path[:-1]))

        self.assertEqual(fold(4, size, hashes), root)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[2:], verbosity=2)
