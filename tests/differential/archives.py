#!/usr/bin/env python3
"""Holds the archive worker against Python's tarfile, bsdtar and gzip, which nobody here wrote.

usage: archives.py WORKER [COUNT [SEED]]

Random archives, plain ones and odd ones. What the worker accepts, both others accept too, and all three find the
same files and folders in it, content and cleaned permissions included. What both others take for plain files and
folders of sound and different names, the worker accepts, or refuses by a code of WHY_STRICTER. A plain archive it
always accepts. Compressed by gzip in one of many ways, whole or with one bit changed, it accepts the archive where
gzip and Python do, never where gzip does not, and finds the same. Exit status 1 where that fails for one archive, 77
where there is no bsdtar (Debian's libarchive-tools).
"""
import collections
import gzip as gziplib
import io
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zlib

# Why an archive may be refused that both others read alike. Each is documented in docs/ARCHIVES.md.
WHY_STRICTER = {
    "ambiguous": "there is a tar program that reads it differently, if not one of these two",
    "bad-checksum": "tarfile takes a broken header after the first for the end",
    "trailing-data": "both ignore what follows the end marker",
    "truncated": "both do without an end marker",
    "unknown-type": "both take it for a file, as POSIX advises; what it means, its maker alone knows",
    "nul": "both cut the name there",
    "path-too-long": "what both drop of a name is too much for programs that do not",
    "not-a-tar": "tarfile looks past a first block that is broken",
}

GNU, USTAR, V7 = b"ustar  \0", b"ustar\00000", bytes(8)


# What says nothing of name, size and permissions, and where it stands.
NUMBERS = {"uid": (108, 8), "gid": (116, 8), "mtime": (136, 12), "devmajor": (329, 8), "devminor": (337, 8)}


def header(name, kind=b"0", size=0, mode=0o644, magic=USTAR, link=b"", prefix=b"", size_field=None, error=0,
           numbers=()):
    """`numbers`: pairs of one of NUMBERS and the bytes of its field."""
    block = bytearray(512)
    for at, most, field in (
            (0, 100, name), (100, 8, b"%07o" % mode), (108, 8, b"0000000"), (116, 8, b"0000000"),
            (124, 12, size_field if size_field is not None else b"%011o" % size), (136, 12, b"00000000000"),
            (148, 8, b"        "), (156, 1, kind), (157, 100, link), (257, 8, magic), (345, 155, prefix)):
        block[at:at + min(most, len(field))] = field[:most]
    for field, text in numbers:
        at, most = NUMBERS[field]
        block[at:at + most] = text[:most].ljust(most, b"\0")
    block[148:156] = b"%06o\0 " % (sum(block) + error)
    return bytes(block)


def binary(value, size):
    """GNU's form of a number, which Python's tarfile writes as well."""
    return (b"\xff" if value < 0 else b"\x80") + (value % 256 ** (size - 1)).to_bytes(size - 1, "big")


def odd_number(r, size):
    """The bytes of a numeric field, some a number, some none."""
    return r.choice([
        lambda: r.choice([b"zzzzzzz", b"!!!!!!!", b"0 1 2 3", b"9" * size, b"0000008", b"-000001", b"+000001", b"1_0",
                          b"0x10", b"0o17", b"1.5", b"12\t", b"\t12", b"1\0002", b"\0001", b"1\0 z", b"1 \0z"]),
        lambda: r.choice([b"", b"7" * size, b"0" * size, b" " * size, b" " * (size - 1), bytes(size - 1) + b" ",
                          b"1750 ", b"   750 ", b"000750 \0", b"777 \0 \0"]),
        lambda: binary(r.choice([0, 1, -1, -86400, 1000, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1, 2 ** 48, -2 ** 48,
                                 -2 ** 48 - 1, 2 ** 55]), size),
        lambda: binary(r.choice([2 ** 34, -1, -86400]), size - 1) + b" ",
        lambda: r.choice([b"\x81", b"\xc0", b"\xfe", b"\xff", b"\x80"]) + r.randbytes(size - 1),
        lambda: r.randbytes(size),
        lambda: bytes(r.choice(b"01278 \0-") for _ in range(size)),
    ])()


def star_prefix(prefix, *times):
    """A prefix field with what star and node-tar keep at its end."""
    return prefix.ljust(131, b"\0") + b"".join(time.ljust(12, b"\0") for time in times)


def padded(content):
    return content + bytes(-len(content) % 512)


def pax(records, kind=b"x", numbers=()):
    body = b""
    for key, value in records:
        rest = len(key) + len(value) + 3
        length = rest + 1
        while len(str(length)) + rest != length:
            length += 1
        body += b"%d %s=%s\n" % (length, key, value)
    return header(b"PaxHeaders/x", kind, len(body), numbers=numbers) + padded(body)


def long_name(name, kind=b"L", numbers=()):
    return header(b"././@LongLink", kind, len(name) + 1, magic=GNU, numbers=numbers) + padded(name + b"\0")


class Maker:
    """One random archive; `plain` where nothing about it is odd."""

    WORDS = ["a", "b", "lib", "src", "main.c", "README", "x y", "übung", "日本", "-rf", "..x", "a.b", "~", "*"]

    def __init__(self, rng):
        self.rng = rng
        self.plain = True
        self.odd = rng.random() < 0.6

    def name(self):
        parts = [self.rng.choice(self.WORDS) + (str(self.rng.randrange(9)) if self.rng.random() < 0.7 else "")
                 for _ in range(self.rng.randint(1, 4))]
        if self.rng.random() < 0.1:
            parts[-1] += "n" * self.rng.choice([60, 95, 99, 100, 101, 150, 200])
        return "/".join(parts).encode()

    def content(self):
        return self.rng.randbytes(self.rng.choice([0, 1, 10, 511, 512, 513, 1024, 3000]))

    def numbers(self):
        """Now and then a header has numbers that may be none."""
        if not self.odd or self.rng.random() >= 0.04:
            return ()
        self.plain = False
        fields = self.rng.sample(sorted(NUMBERS), self.rng.choice([1, 1, 1, 2]))
        return [(field, odd_number(self.rng, NUMBERS[field][1])) for field in fields]

    def times(self):
        """Two times as star, node-tar or nobody has them."""
        return [self.rng.choice([b"15300602077", b"15300602077\0", b"00000000000 ", b""]) for _ in range(2)]

    def number_record(self):
        """A PAX record of a number that may be none."""
        return self.rng.choice([b"mtime", b"atime", b"ctime", b"uid", b"gid"]), self.rng.choice([
            b"0", b"1", b"-1", b"1000", b"1700000000.25", b"-86400.5", b"1.", b".5", b"nan", b"inf", b"1e999", b"1e3",
            b"+1", b" 1", b"1 ", b"1_0", b"", b"x", b"007", b"4294967295", b"4294967296", b"9" * 30, b"1\0"])

    def member(self, name, content, folder, form):
        """Header and content of a file or folder in one of the formats."""
        kind = b"5" if folder else b"0"
        if folder:
            content = b""
            name += b"/" if self.rng.random() < 0.8 else b""
        mode = self.rng.choice([0o644, 0o755, 0o600, 0o444, 0o777, 0o700, 0o4755, 0o2775, 0o1777, 0])
        args = {"size": len(content), "mode": mode, "numbers": self.numbers()}
        if form == "v7" and len(name) < 100:
            if not folder and self.rng.random() < 0.5:
                kind = b"\0"
            return header(name, kind, magic=V7, **args) + padded(content)
        if form == "gnu":
            before = long_name(name, numbers=self.numbers()) if len(name) >= 100 else b""
            return before + header(name[:100], kind, magic=GNU, **args) + padded(content)
        if form == "ustar" and len(name) > 100:
            cut = name.rfind(b"/", 0, 156)
            if 0 < cut and 0 < len(name) - cut - 1 <= 100:
                return header(name[cut + 1:], kind, prefix=name[:cut], **args) + padded(content)
        if form == "ustar" and len(name) <= 100:
            return header(name, kind, prefix=self.rng.choice([b"", star_prefix(b"", *self.times())]), **args) + padded(
                content)
        records = []
        if form == "pax" or len(name) > 100:
            records.append((b"path", name))
            if self.rng.random() < 0.3:
                records.append((b"mtime", b"1700000000.123456789"))
            if self.rng.random() < 0.3:
                records.append((b"size", b"%d" % len(content)))
            if self.odd and self.rng.random() < 0.1:
                self.plain = False
                record = self.number_record()
                records = [one for one in records if one[0] != record[0]] + [record]
        before = pax(records, numbers=self.numbers()) if records else b""
        return before + header(name[:100], kind, **args) + padded(content)

    def oddity(self, names):
        """Something that is not plain, before or among the members."""
        r = self.rng
        self.plain = False
        name, content, known = self.name(), self.content(), r.choice(names or [b"first"])
        return r.choice([
            lambda: header(known, size=len(content)) + padded(content),
            lambda: header(known + b"/below", size=len(content)) + padded(content),
            lambda: header(known.split(b"/")[0], b"5"),
            lambda: header(b"./" + name, size=len(content)) + padded(content),
            lambda: header(b"./", b"5"),
            lambda: header(b"././" + name, size=0),
            lambda: header(name, b"2", link=known),
            lambda: header(name, b"1", link=known),
            lambda: header(name, r.choice([b"3", b"4", b"6", b"7", b"S", b"V", b"D", b"M", b"Z"])),
            lambda: header(b"../" + name),
            lambda: header(b"/" + name),
            lambda: header(name + b"//x"),
            lambda: header(b".//" + name.replace(b"/", r.choice([b"//", b"/./", b"///"])), size=len(content))
            + padded(content),
            lambda: header(name + b"//", b"5"),
            lambda: header(b".//", b"5"),
            lambda: header(known.replace(b"/", b"//"), size=len(content)) + padded(content),
            lambda: pax([(b"path", b"x" + b"/" * r.choice([2, 1000, 3000, 5000]) + name)]) + header(b"x"),
            lambda: header(name + b"/./x"),
            lambda: header(name + b"/", b"0"),
            lambda: header(name + b"/", b"\0", magic=V7),
            lambda: header(name, b"5", size=len(content)) + padded(content),
            lambda: header(b"", size=0),
            lambda: header(b"bad\xff" + name),
            lambda: header(b"con\x07trol"),
            lambda: header(name + b"\0hidden"),
            lambda: pax([(b"comment", b"hello")], b"g"),
            lambda: pax([(b"path", name)], b"g"),
            lambda: pax([(b"size", b"%d" % r.randrange(2000))]) + header(name, size=len(content)) + padded(content),
            lambda: pax([(b"path", name), (b"path", known)]) + header(known),
            lambda: pax([(b"path", name)]) + long_name(known) + header(b"third"),
            lambda: long_name(name) + pax([(b"path", known)]) + header(b"third"),
            lambda: long_name(name) + long_name(known) + header(b"third"),
            lambda: pax([(b"linkpath", known)]) + header(name),
            lambda: pax([(b"GNU.sparse.major", b"1")]) + header(name, size=512) + bytes(512),
            lambda: pax([(b"hdrcharset", b"BINARY"), (b"path", name)]) + header(b"x"),
            lambda: pax([(b"SCHILY.xattr.user.x", b"y")]) + header(name),
            lambda: pax([(b"path", b"")]) + header(name),
            lambda: header(b"PaxHeaders/x", b"x", 10) + padded(b"9 path=x\n\n"),
            lambda: header(name, size_field=b"\x80" + bytes(10) + b"\x01") + padded(b"x"),
            lambda: header(name, size_field=b"         1 ", size=1) + padded(b"x"),
            lambda: header(name, size_field=b"1\0garbage\0\0\0", size=1) + padded(b"x"),
            lambda: header(name, size_field=b"-0000000001"),
            lambda: header(name, size_field=bytes(12)),
            lambda: header(name, error=r.choice([1, -1, 256])),
            lambda: header(name, magic=b"ustar\0  "),
            lambda: header(name, prefix=b"pre\0fix", magic=GNU),
            lambda: header(name, prefix=b"prefix"),
            lambda: header(name, prefix=star_prefix(b"prefix", *self.times())),
            lambda: header(name, prefix=star_prefix(b"pre\0fix", *self.times())),
            lambda: header(name, prefix=star_prefix(b"prefix", odd_number(r, 12), *self.times()[1:])),
            lambda: header(name, prefix=star_prefix(b"p" * 130 + r.choice([b"", b"p"]), *self.times())),
            lambda: header(name, prefix=star_prefix(b"", *self.times()), magic=r.choice([GNU, V7])),
            lambda: header(b"", r.choice([b"\0", b"0", b"5"]), prefix=b"prefix"),
            lambda: header(name + b"/.", r.choice([b"\0", b"0", b"5"])),
            lambda: pax([(b"path", name + b"/.")]) + header(known),
            lambda: pax([(b"comment", b"hello"), self.number_record()], b"g", self.numbers()),
            lambda: bytes(512),
            lambda: bytes(1024),
            lambda: r.randbytes(512),
            lambda: r.randbytes(r.randrange(1, 511)),
        ])()

    def make(self):
        names, out = [], b""
        form = self.rng.choice(["v7", "ustar", "gnu", "pax", "mixed"])
        folders, files = set(), set()
        for _ in range(self.rng.randint(1, 8)):
            if self.odd and self.rng.random() < 0.2:
                out += self.oddity(names)
            name, folder = self.name(), self.rng.random() < 0.3
            parts = name.split(b"/")
            above = {b"/".join(parts[:i]) for i in range(1, len(parts))}
            if name in files or name in folders or above & files:
                continue
            folders |= above | ({name} if folder else set())
            if not folder:
                files.add(name)
            names.append(name)
            one = form if form != "mixed" else self.rng.choice(["v7", "ustar", "gnu", "pax"])
            out += self.member(name, self.content(), folder, one)
        end = bytes(1024)
        if self.odd and self.rng.random() < 0.2:
            self.plain = False
            end = self.rng.choice([b"", bytes(512), bytes(100), end + b"trailing", end + header(b"second"),
                                   end + self.rng.randbytes(512)])
        elif self.rng.random() < 0.5:
            end += bytes(-(len(out) + 1024) % 10240)
        out += end
        if self.odd and self.rng.random() < 0.1:
            self.plain = False
            damaged = bytearray(out)
            for _ in range(self.rng.randint(1, 3)):
                damaged[self.rng.randrange(len(damaged))] = self.rng.randrange(256)
            out = bytes(damaged)
        if self.odd and self.rng.random() < 0.1:
            self.plain = False
            out = out[:self.rng.randrange(len(out))]
        return out


def gzip_member(r, data):
    """With any of the fields that a gzip header may have."""
    flags = r.choice([0, 0, r.randrange(32)])
    head = b"\x1f\x8b\x08" + bytes([flags]) + r.randbytes(4) + bytes([r.choice([0, 2, 4]), r.choice([0, 3, 255])])
    if flags & 4:
        extra = r.randbytes(r.randrange(20))
        head += len(extra).to_bytes(2, "little") + extra
    for field in (8, 16):  # the file's name, a comment
        if flags & field:
            head += b"name of it"[:r.randrange(10)] + b"\0"
    if flags & 2:
        head += (zlib.crc32(head) & 0xffff).to_bytes(2, "little")
    deflate = zlib.compressobj(r.choice([0, 1, 6, 9]), zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    return head + body + zlib.crc32(data).to_bytes(4, "little") + (len(data) % 2 ** 32).to_bytes(4, "little")


def gzipped(r, data):
    """Compressed in one or several members, padded or not, and in most cases one bit of it changed."""
    cuts = sorted(r.randrange(len(data) + 1) for _ in range(r.choice([0, 0, 1, 3])))
    out = bytearray(b"".join(gzip_member(r, data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)])))
    if r.random() < 0.3:
        out += bytes(r.choice([1, 511, 512, 10240]))
    if r.random() < 0.1:
        out += r.choice([b"x", b"\x1f", b"\x1f\x8b\x08", bytes(512) + b"x", gzip_member(r, b"")[:-1]])
    if r.random() < 0.8:
        # Most of an archive is content: its ends are tried as often.
        at = r.choice([r.randrange(len(out)), r.randrange(min(30, len(out))), len(out) - 1 - r.randrange(12)])
        out[at] ^= 1 << r.randrange(8)
    return bytes(out)


def clean(mode, folder):
    """extract/modes.h"""
    return (mode & 0o755) | (0o500 if folder else 0o400)


def tree_of(folder):
    """Path -> (kind, content, permissions) of everything below."""
    tree = {}
    base = os.fsencode(folder)
    for here, folders, files in os.walk(base):
        for name in folders + files:
            path = os.path.join(here, name)
            status = os.lstat(path)
            kind = stat.S_IFMT(status.st_mode)
            content = open(path, "rb").read() if kind == stat.S_IFREG else b""
            tree[os.path.relpath(path, base)] = (kind, content, stat.S_IMODE(status.st_mode))
    return tree


def by_worker(worker, archive, folder):
    """None where it is accepted, otherwise the code."""
    into = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    reading, writing = os.pipe()
    source = os.open(archive, os.O_RDONLY)
    moved = [os.dup(fd) for fd in (source, into, writing)]
    high = [os.dup2(fd, 100 + i) for i, fd in enumerate(moved)]
    pid = os.posix_spawn(worker, [worker, str(1 << 30), "100000", "64", "1024", "1000"], {}, file_actions=[
        (os.POSIX_SPAWN_DUP2, high[0], 0), (os.POSIX_SPAWN_DUP2, high[1], 3), (os.POSIX_SPAWN_DUP2, high[2], 4)])
    for fd in (into, writing, source, *moved, *high):
        os.close(fd)
    report = b""
    while piece := os.read(reading, 65536):
        report += piece
    os.close(reading)
    os.waitpid(pid, 0)
    words = report.decode("utf-8", "replace").split()
    if "accepted" in words[:1]:
        return None
    return words[words.index("refused") + 1] if "refused" in words else "worker died: " + repr(report)


def use(member):
    """Raises where tarfile would, were it to restore what the member has of permissions, owner and time."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as probe:
        os.chmod(probe.name, member.mode)
        os.utime(probe.name, (member.mtime, member.mtime))
        try:
            os.chown(probe.name, member.uid, member.gid)
        except PermissionError:
            pass  # of all but root; what is no owner at all is told before


def by_tarfile(data):
    """(tree, plain): tree None where it is refused; plain where it is files and folders of sound, different names."""
    tree, plain, root = {}, True, False
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errors="strict") as archive:
            for member in archive:
                if hasattr(tarfile, "data_filter"):
                    tarfile.data_filter(member, "/nowhere")
                use(member)
                name = os.path.normpath(member.name)
                sound = (member.name and "\0" not in member.name and not name.startswith(("/", ".."))
                         and name.isprintable() and "\ufffd" not in name)
                plain &= bool(sound) and (member.isreg() or member.isdir()) and not member.issparse()
                if name == ".":
                    plain &= not root
                    root = True
                    continue
                key = name.encode()
                plain &= key not in tree
                content = archive.extractfile(member).read() if member.isreg() else b""
                if member.isreg() and len(content) != member.size:
                    return None, False
                kind = stat.S_IFREG if member.isreg() else stat.S_IFDIR if member.isdir() else 0
                tree[key] = (kind, content, clean(member.mode, member.isdir()))
    except (tarfile.TarError, ValueError, OSError, EOFError, RecursionError, AttributeError, TypeError, OverflowError):
        return None, False
    for key in list(tree):
        while (key := os.path.dirname(key)) not in (b"", b"/"):
            if tree.setdefault(key, (stat.S_IFDIR, b"", None))[0] != stat.S_IFDIR:
                plain = False
    return tree, plain


def by_bsdtar(archive, folder):
    ended = subprocess.run(["bsdtar", "-xpf", archive, "-C", folder, "--no-same-owner"], capture_output=True,
                           env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, check=False)
    if ended.returncode != 0:
        return None
    return {path: (kind, content, clean(mode, kind == stat.S_IFDIR))
            for path, (kind, content, mode) in tree_of(folder).items()}


def same(ours, theirs, any_mode):
    """Whether two trees agree; the permissions of the folders in `any_mode` may differ."""
    def key(tree):
        return {path: (kind, content, None if path in any_mode else mode)
                for path, (kind, content, mode) in tree.items()}
    return key(ours) == key(theirs)


def check(worker, data, plain, work, counts):
    """What is wrong, or None."""
    archive, ours_in, theirs_in = (os.path.join(work, name) for name in ("archive", "ours", "theirs"))
    for folder in (ours_in, theirs_in):
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
    with open(archive, "wb") as file:
        file.write(data)
    code = by_worker(worker, archive, ours_in)
    counts[code or "accepted"] += 1
    tree, theirs_plain = by_tarfile(data)
    if code is None:
        ours = tree_of(ours_in)
        theirs = by_bsdtar(archive, theirs_in)
        if tree is None or theirs is None:
            return "accepted, but not by " + ("tarfile" if tree is None else "bsdtar")
        # A folder that is not listed, or only after what is in it, has the mode that a program gives it.
        implied = {os.path.dirname(path) for path in ours} | {
            path for path, (_, _, mode) in tree.items() if mode is None}
        if not same(ours, tree, implied):
            return "tarfile finds another tree"
        return None if same(ours, theirs, implied) else "bsdtar finds another tree"
    if plain:
        return "a plain archive is refused: " + code
    if code in WHY_STRICTER or not theirs_plain or tree is None:
        return None
    theirs = by_bsdtar(archive, theirs_in)
    if theirs is None or {k: v[:2] for k, v in theirs.items()} != {k: v[:2] for k, v in tree.items()}:
        return None
    return "both others take it for plain, refused: " + code


def check_gzip(worker, data, work, counts):
    """What is wrong, or None."""
    archive, ours_in = os.path.join(work, "archive.gz"), os.path.join(work, "ours")
    shutil.rmtree(ours_in, ignore_errors=True)
    os.mkdir(ours_in)
    with open(archive, "wb") as file:
        file.write(data)
    code = by_worker(worker, archive, ours_in)
    counts["gzip " + (code or "accepted")] += 1
    gzip = subprocess.run(["gzip", "-dc", archive], capture_output=True, check=False)
    if gzip.returncode != 0:
        return None if code else "accepted, but not by gzip: " + gzip.stderr.decode()
    if code:
        try:
            # gzip lets a member refer back to the one before.
            gziplib.decompress(data)
        except (OSError, EOFError, zlib.error):
            return None
        return "accepted by gzip, refused: " + code
    ours, (tree, _) = tree_of(ours_in), by_tarfile(gzip.stdout)
    implied = {os.path.dirname(path) for path in ours}
    return None if tree is not None and same(ours, tree, implied) else "what gzip gives is another tree"


def main():
    worker = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
    if shutil.which("bsdtar") is None:
        print("archives: no bsdtar: apt-get install libarchive-tools", file=sys.stderr)
        return 1 if "bsdtar" in os.environ.get("TIDEWAITER_REQUIRE", "").split(",") else 77
    os.umask(0o022)
    counts, plain_ones, wrong = collections.Counter(), 0, 0
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as work:
        for number in range(count):
            maker = Maker(random.Random(f"{seed}/{number}"))
            data = maker.make()
            plain_ones += maker.plain
            fault = check(worker, data, maker.plain, work, counts)
            if fault is None and maker.plain:
                data = gzipped(maker.rng, data)
                fault = check_gzip(worker, data, work, counts)
            if fault is None:
                continue
            wrong += 1
            kept = os.path.join(tempfile.gettempdir(), f"archives-{seed}-{number}.tar")
            with open(kept, "wb") as file:
                file.write(data)
            print(f"archive {number} of seed {seed}: {fault} (kept: {kept})")
            if wrong == 10:
                break
    print(f"{count} archives of seed {seed}, {plain_ones} of them plain: "
          + ", ".join(f"{code} {times}" for code, times in counts.most_common()))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
