#!/usr/bin/python3
"""Job files of Chronos run to their end as they are, on hosts that only look like the real ones."""

import http.server
import io
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import urllib.error
import urllib.request

from _cluster import Cluster, wait_until
from _namespaces import enter_namespaces, mount

SAMPLES = pathlib.Path(os.environ.get("RM_SAMPLES") or "/nonexistent")
FILES = SAMPLES / "mesos-in-action/chapter08"

TEXT = "".join(f"word{n} " * (n + 1) for n in range(25)).encode()
JAR = "mesos-in-action-code-samples-master/wordcount-example/war-and-peace-wordcount_2.10-0.1.0.jar"

# HDFS is a directory; `cat` expands patterns itself, as the real one does.
HADOOP = """#!/bin/sh
root={hdfs}
[ "$1" = fs ] || exit 90
case "$2" in
  -mkdir) mkdir -p "$root$4" ;;
  -put) cp -f "$4" "$root$5" ;;
  -cat) cat $root$3 ;;
  *) exit 91 ;;
esac
"""

SPARK_SUBMIT = """#!/bin/sh
[ -s "$1" ] || {{ echo "no jar $1" >&2; exit 92; }}
mkdir -p {hdfs}$2/result
tr -s ' ' '\\n' < {hdfs}$2/warandpeace.txt | sort | uniq -c |
  awk '{{print $2 "," $1}}' > {hdfs}$2/result/part-00000
"""


def tarball():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo(JAR)
        info.size = 3
        tar.addfile(info, io.BytesIO(b"jar"))
    return out.getvalue()


PAGES = {
    ("www.gutenberg.org", "/cache/epub/2600/pg2600.txt"): TEXT,
    ("github.com", "/rji/mesos-in-action-code-samples/archive/master.tar.gz"): tarball(),
}


class Web(http.server.BaseHTTPRequestHandler):
    asked = []
    opened = threading.Event()

    def do_GET(self):
        self.opened.wait(60)
        self.asked.append((self.headers["Host"], self.path))
        body = PAGES.get((self.headers["Host"], self.path))
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


def certificate(directory):
    """For the hosts that are played; who trusts it trusts nobody else."""
    names = ",".join(f"DNS:{host}" for host, _ in PAGES)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test",
                    "-addext", f"subjectAltName={names}", "-keyout", directory / "key.pem",
                    "-out", directory / "ca-certificates.crt"], check=True, capture_output=True)
    return directory / "ca-certificates.crt", directory / "key.pem"


def play_hosts(directory):
    """Names, servers and certificates of the hosts in the files, for this script's children."""
    hosts = directory / "hosts"
    hosts.write_text("127.0.0.1 localhost " + " ".join(host for host, _ in PAGES) + "\n")
    mount("--bind", hosts, "/etc/hosts")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    trusted, key = certificate(directory)
    mount("-t", "tmpfs", "tmpfs", "/etc/ssl/certs")
    shutil.copy(trusted, "/etc/ssl/certs/ca-certificates.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, key)
    for port in (80, 443):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Web)
        if port == 443:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def install_stand_ins(directory):
    hdfs = directory / "hdfs"
    program(directory / "bin/hadoop", HADOOP.format(hdfs=hdfs))
    os.environ["PATH"] = f"{directory}/bin:{os.environ['PATH']}"
    mount("-t", "tmpfs", "tmpfs", "/opt")
    program(pathlib.Path("/opt/spark/bin/spark-submit"), SPARK_SUBMIT.format(hdfs=hdfs))


def call(cluster, method, path, body=None):
    request = urllib.request.Request(cluster.url(path), data=body, method=method,
                                     headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def add_all(cluster):
    """Posts every file unchanged; parents first, as their names sort. Returns their names."""
    files = sorted(FILES.glob("*/*.json"))
    assert len(files) == 5, files
    names = {}
    for file in files:
        document = json.loads(file.read_bytes())
        kind = "dependency" if "parents" in document else "iso8601"
        status, answer = call(cluster, "POST", f"/scheduler/{kind}", file.read_bytes())
        assert status == 204, (file.name, answer)
        names[file.stem] = document["name"]
    return names


def first_job(cluster, name):
    runs = cluster.get(f"/v1/schedules/{name}")["runs"]
    return cluster.job(runs[0]["jobs"][0]) if runs else None


def ended(cluster, name):
    job = first_job(cluster, name)
    return job if job and job["ended"] else None


def check_files_run_to_their_end(cluster):
    names = add_all(cluster)
    Web.opened.set()  # not before, since who is added after its parent's end waits for the next
    boxed = names.pop("simple-docker")
    for name in names.values():
        job = wait_until(lambda: ended(cluster, name), f"{name} has ended", deadline_s=150)
        assert (job["state"], job["exit_code"]) == ("finished", 0), job
    load = first_job(cluster, names["03-load-results-job"])
    output = call(cluster, "GET", f"/v1/jobs/{load['id']}/logs")[1].splitlines()
    assert output == [f"word{n},{n + 1}" for n in range(24, 4, -1)], output
    assert sorted(Web.asked) == sorted(PAGES), "each file was fetched once"
    boxed = wait_until(lambda: ended(cluster, boxed), "the job with an image has ended")
    assert boxed["state"] == "failed", boxed
    assert boxed["reason"] == "container: image python:3.4.3: images are not supported yet", boxed
    print(f"{len(names)} job files of Chronos ran to their end as they are")


def main():
    if not FILES.is_dir():
        print(f"skipped: no samples in {FILES}")
        return 1 if os.environ.get("CI") and os.environ.get("RM_SAMPLES") else 77
    enter_namespaces("mount", "net")
    with tempfile.TemporaryDirectory(prefix="rm-test-") as name:
        directory = pathlib.Path(name)
        play_hosts(directory)
        install_stand_ins(directory)
        with Cluster(agents=1, resources="cpus:4;mem:4096;disk:4096") as cluster:
            check_files_run_to_their_end(cluster)
    return 0


if __name__ == "__main__":
    sys.exit(main())
