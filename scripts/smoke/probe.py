"""Runs inside a sandbox: tries each way out that should be closed and prints one JSON line per try.

Argument: JSON {region, bucket, neighbours: [address], nfs: [address], identities: [{name, pem}],
proxied: url, only: [name] or null}. Standard library only.
A try is `reached` when the other side answered in a way that would be of use to an attacker.
"""
import http.client
import json
import os
import random
import socket
import ssl
import struct
import sys
import tempfile
import urllib.error
import urllib.request

SECONDS = 5
GIVEN = json.loads(sys.argv[1])


def tcp(host, port, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS)
        connection.connect((host, port))
    return True, "connected"


def resolve(name):
    found = socket.getaddrinfo(name, 443, proto=socket.IPPROTO_TCP)
    return True, found[0][4][0]


def foreign_resolver():
    """A DNS question straight to a public resolver."""
    question = struct.pack(">HHHHHH", random.randrange(65536), 0x0100, 1, 0, 0, 0)
    question += b"\x07example\x03com\x00" + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(SECONDS)
        connection.sendto(question, ("8.8.8.8", 53))
        return True, f"{len(connection.recv(512))} bytes of answer"


def get(host, path, tls, address=None):
    """Straight to the host, past the proxy. An answer that refuses is no way out."""
    if tls:
        connection = http.client.HTTPSConnection(host, timeout=SECONDS)
    else:
        connection = http.client.HTTPConnection(address or host, timeout=SECONDS)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read(400).decode("utf-8", "replace").replace("\n", " ")
    return response.status == 200, f"HTTP {response.status} {body[:120]}"


def proxied(url):
    try:
        with urllib.request.urlopen(url, timeout=SECONDS * 2) as response:
            return True, f"HTTP {response.status}"
    except urllib.error.HTTPError as refused:
        return False, f"HTTP {refused.code} from the proxy"


def ecs_variables():
    """What ECS puts into the environment of a container, looked for in every process that can be read."""
    names = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "ECS_CONTAINER_METADATA_URI_V4")
    found = {name: os.environ[name] for name in names if name in os.environ}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                for entry in file.read().split(b"\0"):
                    name, _, value = entry.decode("utf-8", "replace").partition("=")
                    if name in names:
                        found[name] = value
        except OSError:
            pass
    return found


def metadata():
    address = ecs_variables().get("ECS_CONTAINER_METADATA_URI_V4")
    if address is None:
        return False, "its address is in no environment that can be read"
    host = address.split("/")[2]
    return get(host, "/" + address.split("/", 3)[3] + "/task", False)


def credentials():
    path = ecs_variables().get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    return get("169.254.170.2", path or "/v2/credentials/", False)


def nfs(host, tls, identity=None):
    """Asks an NFS 4.0 server for its root, as root: what `mount` would do first. The identity names an access point."""
    machine = b"probe"
    user = struct.pack(">II", 0, len(machine)) + machine.ljust(8, b"\0") + struct.pack(">III", 0, 0, 0)
    compound = struct.pack(">III", 0, 0, 2) + struct.pack(">II", 24, 10)  # empty tag, minor version 0: PUTROOTFH, GETFH
    call = struct.pack(">IIIIII", 1, 0, 2, 100003, 4, 1) + struct.pack(">II", 1, len(user)) + user
    call += struct.pack(">II", 0, 0) + compound
    connection = socket.create_connection((host, GIVEN.get("nfsPort", 2049)), timeout=SECONDS)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if identity is not None:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
                file.write(identity)
                file.flush()
                context.load_cert_chain(file.name)
        connection = context.wrap_socket(connection)
    connection.sendall(struct.pack(">I", 0x80000000 | len(call)) + call)
    answer = b""
    while len(answer) < 32:
        more = connection.recv(4096)
        if not more:
            return False, f"closed after {len(answer)} bytes"
        answer += more
    _, _, _, accepted, _, verifier, result = struct.unpack(">IIIIIII", answer[:28])
    if accepted != 0:
        return False, "the call was refused"
    status = struct.unpack(">I", answer[28 + verifier : 32 + verifier])[0] if result == 0 else None
    if status is None:
        return False, f"the call failed with {result}"
    return status == 0, "gave its root" if status == 0 else f"NFS status {status}"


def addresses():
    found = set()
    with open("/proc/net/fib_trie") as file:
        last = ""
        for line in file:
            if "|--" in line:
                last = line.split("|--")[1].strip()
            elif "/32 host LOCAL" in line and not last.startswith("127."):
                found.add(last)
    return False, " ".join(sorted(found))


def attempt(name, run):
    if GIVEN["only"] is not None and name not in GIVEN["only"]:
        return
    try:
        reached, detail = run()
    except Exception as failure:  # Any failure is what is measured here.
        reached, detail = False, f"{type(failure).__name__}: {failure}"
    print(json.dumps({"probe": name, "reached": reached, "detail": detail[:200]}), flush=True)


def main():
    given = GIVEN
    region = given["region"]
    attempt("addresses", addresses)
    attempt("direct address", lambda: tcp("1.1.1.1", 443))
    attempt("direct IPv6 address", lambda: tcp("2606:4700:4700::1111", 443, socket.AF_INET6))
    attempt("DNS of a public name", lambda: resolve("example.com"))
    attempt("another DNS server", foreign_resolver)
    attempt("STS", lambda: tcp(f"sts.{region}.amazonaws.com", 443))
    attempt("foreign S3 bucket", lambda: get(f"s3.{region}.amazonaws.com", f"/{given['bucket']}?list-type=2&max-keys=1", True))
    attempt("instance metadata", lambda: get("169.254.169.254", "/latest/meta-data/", False))
    attempt("task credentials", credentials)
    attempt("task metadata v4", metadata)
    attempt("metadata through the proxy", lambda: proxied("http://169.254.169.254/latest/meta-data/"))
    attempt("a public address through the proxy", lambda: proxied(given["proxied"]))
    for address in given["neighbours"]:
        attempt(f"neighbour {address}", lambda: tcp(address, 7777))
    for address in given["nfs"]:
        attempt(f"NFS in the clear {address}", lambda: nfs(address, False))
        attempt(f"NFS in TLS {address}", lambda: nfs(address, True))
        for identity in given["identities"]:
            attempt(f"NFS naming {identity['name']} {address}", lambda: nfs(address, True, identity["pem"]))


main()
