#!/usr/bin/python3
"""Files that a task needs are fetched into its sandbox first, and what is hostile is refused."""

import gzip
import http.server
import io
import os
import pathlib
import stat
import sys
import tarfile
import threading
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import _ftp  # noqa: E402
from _cluster import Cluster, wait_until  # noqa: E402
from _framework import Framework  # noqa: E402


def tar_of(*members, mode="w:gz"):
    """Members are (name, bytes), or (name, type, link target)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, *rest in members:
            info = tarfile.TarInfo(name)
            data = b""
            if len(rest) == 1:
                data = rest[0]
                info.size, info.mode = len(data), 0o4755
            else:
                info.type, info.linkname = rest
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


WORDS = b"one\ntwo\nthree\n"
FILES = {
    "/words.txt": WORDS,
    "/words.gz": gzip.compress(WORDS),
    "/words.tar.gz": tar_of(("data/words.txt", WORDS), ("latest", tarfile.SYMTYPE, "data")),
    "/words.tar.xz": tar_of(("xz/words.txt", WORDS), mode="w:xz"),
    "/words.zip": zip_of(**{"zipped/words.txt": WORDS}),
    "/tool": b"#!/bin/sh\necho \"tool says $1\"\n",
    "/slip.tar.gz": tar_of(("good", b"x"), ("../../../escaped", b"evil")),
    "/slip.zip": zip_of(**{"../../../escaped": b"evil"}),
    "/absolute.tar.gz": tar_of(("/tmp/rm-fetch-escaped", b"evil")),
    "/through.tar.gz": tar_of(("out", tarfile.SYMTYPE, "../../.."), ("out/escaped", b"evil")),
    "/inside.tar.gz": tar_of(("dir", tarfile.SYMTYPE, "."), ("dir/escaped", b"evil")),
    "/hard.tar.gz": tar_of(("passwd", tarfile.LNKTYPE, "../../../agent.db")),
    "/fifo.tar.gz": tar_of(("pipe", tarfile.FIFOTYPE, "")),
    "/stdout.tar.gz": tar_of(("stdout", b"forged")),
    "/bomb.zip": zip_of(zeros=bytes(300 << 20)),
    "/broken.tar.gz": b"no archive at all",
}


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/moved":
            return self.redirect("/words.txt")
        if self.path == "/to-file":
            return self.redirect("file:///etc/passwd")
        if self.path == "/loop":
            return self.redirect("/loop")
        if self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"not all of it")
            self.close_connection = True
            return None
        body = FILES.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")
        return None

    def redirect(self, to):
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Checks:
    def __init__(self, cluster, framework, base):
        self.cluster, self.framework, self.base = cluster, framework, base
        self.count = 0

    def sandbox(self, task):
        return self.cluster.directory / "agent-1" / "runs" / self.framework.id / task

    def run(self, *files, **task):
        """Runs a task with these files and returns its end and its sandbox."""
        self.count += 1
        name = f"t{self.count}"
        fetch = [{"uri": f} if isinstance(f, str) else f for f in files]
        for file in fetch:
            if file["uri"].startswith("@"):
                file["uri"] = self.base + file["uri"][1:]
        end = self.framework.run(id=name, fetch=fetch, **task)
        return end, self.sandbox(name)

    def fails(self, message, *files, **task):
        end, sandbox = self.run(*files, **{"command": "touch ran", **task})
        assert end["state"] == "failed" and end["reason"] == "fetch_failed", end
        assert message in end["message"], (message, end)
        assert end["exit_code"] is None, end
        assert not (sandbox / "ran").exists(), "the command ran all the same"
        assert "rm-fetch: " in (sandbox / "stderr").read_text()
        return sandbox

    # --- what works ---

    def check_fetched_files_are_there(self):
        local = self.cluster.directory / "local file.txt"
        local.write_bytes(WORDS)
        end, sandbox = self.run(
            "@/words.txt", str(local), {"uri": local.as_uri(), "output_file": "in/a/dir.txt"},
            {"uri": "@/moved", "output_file": "moved.txt"},
            command="cat words.txt 'local file.txt' in/a/dir.txt moved.txt | wc -l; exit 7")
        assert end["reason"] == "command_failed" and end["exit_code"] == 7, end
        assert (sandbox / "stdout").read_text().strip() == "12"
        assert (sandbox / "stderr").read_text() == "", "silent where all is well"

    def check_archives_are_unpacked(self):
        end, sandbox = self.run(
            "@/words.tar.gz", "@/words.tar.xz", "@/words.zip", "@/words.gz",
            {"uri": "@/words.zip", "output_file": "deep/w.zip"},
            {"uri": "@/words.tar.gz", "output_file": "kept.tar.gz", "extract": False},
            command="cat latest/words.txt xz/words.txt zipped/words.txt words deep/zipped/words.txt")
        assert end["state"] == "finished", end
        assert (sandbox / "stdout").read_bytes() == WORDS * 5
        mode = stat.S_IMODE((sandbox / "data" / "words.txt").stat().st_mode)
        assert mode & 0o7000 == 0, oct(mode)

    def check_executables_may_run(self):
        end, sandbox = self.run({"uri": "@/tool", "executable": True, "output_file": "bin/tool"},
                                argv=["./tool", "hello"], workdir="bin")
        assert end["state"] == "finished", end
        assert (sandbox / "stdout").read_text() == "tool says hello\n"
        end, sandbox = self.run({"uri": "@/words.zip", "executable": True},
                                command="test -x words.zip -a ! -e zipped")
        assert end["state"] == "finished", end

    def check_the_command_has_its_own_environment(self):
        end, sandbox = self.run("@/words.txt", command="env; ls /proc/self/fd | tr '\\n' ' '",
                                env={"LD_BIND_NOW": "1", "X": "y"})
        assert end["state"] == "finished", end
        output = (sandbox / "stdout").read_text()
        lines = output.splitlines()
        for line in ("LD_BIND_NOW=1", "X=y", f"RM_SANDBOX={sandbox}", f"MESOS_SANDBOX={sandbox}"):
            assert line in lines, (line, output)
        assert "RM_FETCH" not in output, output
        assert lines[-1].split() == ["0", "1", "2", "3"], "3 is the directory that ls reads"

    def check_without_fetch_the_sandbox_is_known_too(self):
        end, sandbox = self.run(command='echo "$RM_SANDBOX $MESOS_SANDBOX"')
        assert (sandbox / "stdout").read_text().split() == [str(sandbox)] * 2, end

    def check_a_program_that_is_not_there_is_a_failed_launch(self):
        end, _ = self.run("@/words.txt", argv=["nosuch"])
        assert end["reason"] == "launch_failed", end
        assert end["message"] == "exec nosuch: No such file or directory", end

    def check_a_fetch_can_be_killed(self):
        fifo_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stalled)
        threading.Thread(target=fifo_server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{fifo_server.server_address[1]}/x"
        self.framework.launch({"id": "stalled", "command": "touch ran", "fetch": [{"uri": url}]})
        self.framework.state("stalled", "running")
        self.framework.do(kill="stalled")
        end = self.framework.end("stalled")
        assert end["state"] == "killed" and end["reason"] == "killed_by_framework", end
        assert not (self.sandbox("stalled") / "ran").exists()
        Stalled.go_on.set()
        fifo_server.shutdown()

    def check_ftp(self):
        server = _ftp.serving(FILES)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"ftp://127.0.0.1:{server.server_address[1]}"
        end, sandbox = self.run(base + "/words.txt", base + "/words.tar.gz")
        assert end["state"] == "finished", end
        assert (sandbox / "words.txt").read_bytes() == WORDS
        assert (sandbox / "data/words.txt").read_bytes() == WORDS
        self.fails("/nosuch: ", base + "/nosuch")
        server.shutdown()

    # --- what does not ---

    def check_servers_that_fail(self):
        self.fails("http://127.0.0.1:1/x: connection refused", "http://127.0.0.1:1/x")
        self.fails("/nosuch: the server answered 404", "@/nosuch")
        self.fails("more than 10 redirects", "@/loop")
        self.fails("/to-file: ", "@/to-file")
        self.fails("/short: ", "@/short")
        self.fails("/nosuch/file: no such file or directory", "file:///nosuch/file")
        self.fails("/dev/zero: not a regular file", "/dev/zero")
        self.fails("need http, https, ftp, file", "scp://host/x")
        secret = self.base.replace("http://", "http://rita:pw@") + "/nosuch"
        sandbox = self.fails("answered 404", secret)
        assert "pw" not in (sandbox / "stderr").read_text()

    def check_names_that_lead_out(self):
        self.fails("output file ../x: leads out of the sandbox",
                   {"uri": "@/words.txt", "output_file": "../x"})
        self.fails("is absolute", {"uri": "@/words.txt", "output_file": "/tmp/rm-fetch-escaped"})
        self.fails("is the task's own output", {"uri": "@/words.txt", "output_file": "stdout"})
        self.fails("slash", "@/..%2f..%2fescaped")

    def check_hostile_archives(self):
        for name, message in {
                "slip.tar.gz": "slip.tar.gz: entry ../../../escaped: leads out of the sandbox",
                "slip.zip": "slip.zip: entry ../../../escaped: leads out of the sandbox",
                "absolute.tar.gz": "entry /tmp/rm-fetch-escaped: is absolute",
                "through.tar.gz": "entry out links to ../../.., which may lead out",
                "inside.tar.gz": "inside.tar.gz: entry dir/escaped: ",
                "hard.tar.gz": "entry passwd links to ../../../agent.db",
                "fifo.tar.gz": "entry pipe is a device, a pipe or a socket",
                "stdout.tar.gz": "entry stdout is the task's own output",
                "bomb.zip": "times as much",
                "broken.tar.gz": "broken.tar.gz: "}.items():
            self.fails(message, f"@/{name}")
        escaped = [*self.cluster.directory.rglob("escaped"),
                   *pathlib.Path("/tmp").glob("rm-fetch-escaped")]
        assert not escaped, escaped

    def check_a_task_cannot_say_that_its_fetch_failed(self):
        forge = "for fd in $(seq 3 40); do (echo Fforged >&$fd) 2>/dev/null; done; exit 1"
        end, _ = self.run("@/words.txt", argv=["/bin/bash", "-c", forge])
        assert end["reason"] == "command_failed" and end["exit_code"] == 1, end


class Stalled(http.server.BaseHTTPRequestHandler):
    go_on = threading.Event()

    def do_GET(self):
        self.go_on.wait(60)

    def log_message(self, *_):
        pass


def check_a_job_says_what_could_not_be_fetched(cluster):
    """In a cluster without the framework above, which keeps the offers that it gets."""
    missing = cluster.directory / "late.txt"
    job, = cluster.submit({"name": "fetcher", "command": "cat late.txt",
                           "fetch": [str(missing)]})
    end, = cluster.wait_terminal([job])
    reason = f"{missing}: no such file"
    assert end["state"] == "failed" and reason in end["reason"], end
    assert reason in cluster.rmctl("show", job)
    missing.write_bytes(WORDS)
    status, answer = cluster.request("POST", f"/v1/jobs/{job}/retry")
    assert status == 202, answer
    wait_until(lambda: cluster.job(job)["state"] == "finished", "the retried job ends well")


def main():
    os.umask(0o022)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Cluster(agents=1) as cluster, Framework(cluster) as framework:
        checks = Checks(cluster, framework, f"http://127.0.0.1:{server.server_address[1]}")
        names = [name for name in dir(checks) if name.startswith("check_")]
        for name in names:
            getattr(checks, name)()
            print(f"ok {name}")
    with Cluster(agents=1) as cluster:
        check_a_job_says_what_could_not_be_fetched(cluster)
    print(f"{len(names) + 1} passed, 0 failed")


if __name__ == "__main__":
    main()
