#!/usr/bin/python3
"""A client that nobody here wrote: Debian's python3-grpcio, with stubs made from proto/, runs jobs
through the real daemon on a real engine.

Usage: python_client_test.py FOLDER_OF_PROGRAMS FOLDER_OF_PROTO [unittest options]
Exit status 77 (ctest: skipped) without an engine, or 1 where TIDEWAITER_REQUIRE names docker.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import grpc

PROGRAMS, PROTO = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
ENGINE = os.environ.get("TIDEWAITER_LAB_DOCKER_SOCK", "")
REGISTRY = os.environ.get("TIDEWAITER_LAB_REGISTRY", "")
IMAGE = os.environ.get("TIDEWAITER_LAB_IMAGE", "")
CALL_SECONDS = 60


def generate_stubs(folder):
    """Compiles every .proto into `folder` with protoc and Debian's plugin, and imports the stubs."""
    protos = sorted(PROTO.glob("tidewaiter/v1/*.proto"))
    plugin = shutil.which("grpc_python_plugin")
    subprocess.run(
        ["protoc", f"-I{PROTO}", f"--python_out={folder}", f"--grpc_python_out={folder}",
         f"--plugin=protoc-gen-grpc_python={plugin}", *map(str, protos)], check=True)
    sys.path.insert(0, folder)


class Broker:
    """tidewaiterd in a scratch folder that only root may write, as production mode demands."""

    def __init__(self, folder):
        self.socket = f"{folder}/broker.sock"
        policy = pathlib.Path(folder, "policy.toml")
        policy.write_text(
            f'version = 1\nmode = "production"\n[[images.allow]]\nrepository = "{REGISTRY}/lab/*"\n'
            f'[[principal]]\nname = "tester"\nuid = {os.geteuid()}\nroles = ["run"]\n'
            'policy = "default"\n')
        config = pathlib.Path(folder, "tidewaiter.toml")
        config.write_text(
            f'version = 1\nsocket = "{self.socket}"\npolicy = "{policy}"\n'
            f'state_dir = "{folder}/state"\naudit_dir = "{folder}/audit"\n'
            f'[docker]\nsocket = "{ENGINE}"\n[registry]\nplain_http = ["{REGISTRY}"]\n')
        for path in (policy, config):
            path.chmod(0o600)
        for name in ("state", "audit"):
            pathlib.Path(folder, name).mkdir(mode=0o700)
        self.process = subprocess.Popen([PROGRAMS / "tidewaiterd", "--config", config])

    def channel(self):
        channel = grpc.insecure_channel(f"unix:{self.socket}")
        grpc.channel_ready_future(channel).result(timeout=CALL_SECONDS)
        return channel

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=CALL_SECONDS)


class PythonClientTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        base = os.environ.get("TIDEWAITER_TEST_SCRATCH", "/run")
        cls.folder = tempfile.TemporaryDirectory(prefix="tw-test-", dir=base)
        cls.addClassCleanup(cls.folder.cleanup)
        stubs = pathlib.Path(cls.folder.name, "stubs")
        stubs.mkdir()
        generate_stubs(str(stubs))
        cls.broker = Broker(cls.folder.name)
        cls.addClassCleanup(cls.broker.stop)
        from tidewaiter.v1 import broker_pb2, broker_pb2_grpc, errors_pb2, run_spec_pb2
        cls.pb, cls.spec_pb, cls.errors_pb = broker_pb2, run_spec_pb2, errors_pb2
        cls.stub = broker_pb2_grpc.BrokerStub(cls.broker.channel())

    def run_job(self, spec, stdin=None):
        """Runs to the end of the stream: the events, and the error that ended it, or None."""

        def requests():
            yield self.pb.RunRequest(start=self.pb.StartRun(spec=spec, stdin=stdin is not None))
            if stdin is not None:
                yield self.pb.RunRequest(stdin=stdin)
                yield self.pb.RunRequest(stdin_end=self.pb.StdinEnd())

        events = []
        try:
            for event in self.stub.Run(requests(), timeout=CALL_SECONDS):
                events.append(event)
        except grpc.RpcError as error:
            return events, error
        return events, None

    def output(self, events, stream):
        return b"".join(e.output.data for e in events
                        if e.WhichOneof("event") == "output" and e.output.stream == stream)

    def only(self, events, kind):
        found = [getattr(e, kind) for e in events if e.WhichOneof("event") == kind]
        self.assertEqual(len(found), 1, f"{kind} in {[e.WhichOneof('event') for e in events]}")
        return found[0]

    def test_a_job_gives_its_output_its_exit_code_and_a_receipt(self):
        spec = self.spec_pb.RunSpec(
            image=IMAGE, command=["sh", "-c", "echo out; echo err >&2; exit 7"])
        events, error = self.run_job(spec)
        self.assertIsNone(error)
        self.assertEqual(events[0].WhichOneof("event"), "admitted")
        self.assertEqual(events[-1].WhichOneof("event"), "receipt")
        self.assertEqual(self.output(events, self.pb.Output.STDOUT), b"out\n")
        self.assertEqual(self.output(events, self.pb.Output.STDERR), b"err\n")
        result = self.only(events, "result")
        self.assertEqual(result.outcome, self.pb.RunResult.EXITED)
        self.assertEqual(result.exit_code, 7)
        receipt = self.only(events, "receipt")
        self.assertTrue(receipt.complete)
        self.assertIn("container", [r.kind for r in receipt.removals])
        self.assertTrue(all(r.confirmed_absent for r in receipt.removals))

    def test_stdin_reaches_the_job_with_every_byte(self):
        sent = bytes(range(256)) * 64
        events, error = self.run_job(
            self.spec_pb.RunSpec(image=IMAGE, command=["cat"]), stdin=sent)
        self.assertIsNone(error)
        self.assertEqual(self.output(events, self.pb.Output.STDOUT), sent)

    def test_a_denial_lists_every_violation_in_the_event_and_in_the_status(self):
        spec = self.spec_pb.RunSpec(image="docker.io/library/busybox", user="0",
                                    add_capabilities=["SYS_ADMIN"])
        events, error = self.run_job(spec)
        denied = self.only(events, "denied")
        fields = {v.field.split("[")[0] for v in denied.violations}
        self.assertLessEqual({"image", "user", "addCapabilities"}, fields)
        self.assertTrue(all(v.rule and v.message and v.remedy for v in denied.violations))
        self.assertEqual(error.code(), grpc.StatusCode.PERMISSION_DENIED)
        details = self.details(error)
        info = self.errors_pb.ErrorInfo.FromString(details["google.rpc.ErrorInfo"])
        self.assertEqual((info.reason, info.domain), ("POLICY_DENIED", "tidewaiter.v1"))
        denial = self.errors_pb.DenialDetails.FromString(details["tidewaiter.v1.DenialDetails"])
        self.assertEqual(denial.total, len(denied.violations))

    def details(self, error):
        """The status's details, by the name of their type."""
        raw = dict(error.trailing_metadata())["grpc-status-details-bin"]
        status = self.errors_pb.StatusDetails.FromString(raw)
        self.assertEqual(status.code, error.code().value[0])
        return {any_.type_url.split("/")[-1]: any_.value for any_ in status.details}

    def test_explain_decides_without_running(self):
        answer = self.stub.Explain(
            self.pb.ExplainRequest(spec=self.spec_pb.RunSpec(image=IMAGE)), timeout=CALL_SECONDS)
        self.assertTrue(answer.admitted)
        self.assertEqual(answer.effective.limits.memory_bytes, 2 << 30)
        self.assertEqual(len(self.stub.List(self.pb.ListRequest(), timeout=CALL_SECONDS).runs), 0)

    def test_a_cancelled_call_leaves_no_run(self):
        call = self.stub.Run(iter([self.pb.RunRequest(start=self.pb.StartRun(
            spec=self.spec_pb.RunSpec(image=IMAGE, command=["sleep", "300"])))]),
            timeout=CALL_SECONDS)
        for event in call:
            if event.WhichOneof("event") == "started":
                break
        call.cancel()
        deadline = time.monotonic() + CALL_SECONDS
        while self.stub.List(self.pb.ListRequest(), timeout=CALL_SECONDS).runs:
            self.assertLess(time.monotonic(), deadline, "the run is still there")


if __name__ == "__main__":
    if not (ENGINE and REGISTRY and IMAGE):
        print("no engine: see tests/lab/engine", file=sys.stderr)
        sys.exit(1 if "docker" in os.environ.get("TIDEWAITER_REQUIRE", "").split(",") else 77)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
