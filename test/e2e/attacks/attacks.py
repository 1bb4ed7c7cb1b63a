"""Attempts to get out of a sandbox, or to take more than its share; run inside one as `python3 - NAME [ARGUMENT...]`.

Each prints one last line: "STOPPED <what stopped it>" or "ESCAPED <what it reached>".
"""

import ctypes
import errno
import fcntl
import os
import platform
import pty
import signal
import socket
import sys
import termios
import time

libc = ctypes.CDLL(None, use_errno=True)
me = os.getuid()


def stopped(by):
    print("STOPPED " + by, flush=True)
    os._exit(0)


def escaped(how):
    print("ESCAPED " + how, flush=True)
    os._exit(0)


def name(error):
    if isinstance(error, socket.gaierror):
        return "no name service"
    return errno.errorcode.get(error.errno, str(error.errno)) if isinstance(error, OSError) else type(error).__name__


def all_refused(attempts):
    """Attempts are (label, function); every function must raise OSError. Says which errors did."""
    by = {}
    for label, attempt in attempts:
        try:
            attempt()
        except OSError as error:
            by.setdefault(name(error), []).append(label)
        else:
            escaped(label)
    stopped("; ".join(f"{error}: {', '.join(labels[:6])}{' …' if len(labels) > 6 else ''}" for error, labels in by.items()))


def syscall(number, *arguments):
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]) < 0:
        raise OSError(ctypes.get_errno(), "syscall")


def opener(path, flags):
    return lambda: os.close(os.open(path, flags))


def strangers():
    """Processes of another uid than ours: the agent and its supervisor, where the host allows two uids."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.stat(f"/proc/{entry}").st_uid != me:
                    found.append(int(entry))
            except OSError:
                pass
    if not found:
        escaped("no process of another uid: the agent shares ours")
    return found


# kernel settings and devices


def core_pattern():
    path = "/proc/sys/kernel/core_pattern"
    # The very value it has: harmless where it succeeds.
    value = open(path).read()
    all_refused([(path, lambda: open(path, "w").write(value))])


def proc_sys():
    count = 0
    for directory, _, files in os.walk("/proc/sys"):
        for file in files:
            path = os.path.join(directory, file)
            try:
                # ns_last_pid opens for everyone and asks for a capability on write: the value it has goes back.
                with open(path, "r+b", buffering=0) as stream:
                    stream.write(stream.read())
            except OSError:
                count += 1
            else:
                escaped(path)
    stopped(f"all {count} files refuse")


def devices():
    paths = ["/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/dev/vda", "/dev/loop0", "/dev/loop-control", "/proc/kcore", "/proc/sysrq-trigger", "/dev/net/tun", "/dev/vsock"]
    all_refused([(path, opener(path, os.O_RDWR)) for path in paths])


def capabilities():
    status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
    for key in ("CapEff", "CapPrm", "CapAmb"):
        if int(status[key], 16) != 0:
            escaped(f"{key} {status[key]}")
    if status["NoNewPrivs"] != "1":
        escaped("a setuid program would gain privileges (NoNewPrivs 0)")
    if status["Seccomp"] != "2":
        escaped("no seccomp filter")
    if me == 0:
        escaped("uid 0")
    stopped("no capabilities, no_new_privs, seccomp filter, uid " + str(me))


# system calls

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWCGROUP = 0x20000, 0x10000000, 0x40000000, 0x20000000, 0x2000000


def need_x86():
    if platform.machine() != "x86_64":
        stopped("not tried on " + platform.machine())


def namespaces():
    need_x86()

    def raw_clone(flags):
        pid = libc.syscall(ctypes.c_long(56), ctypes.c_long(flags | signal.SIGCHLD), None, None, None, None)
        if pid == 0:
            os._exit(0)
        if pid < 0:
            raise OSError(ctypes.get_errno(), "clone")

    def join(path):
        fd = os.open(path, os.O_RDONLY)
        try:
            syscall(308, fd, 0)
        finally:
            os.close(fd)

    attempts = [(f"unshare {flag:#x}", lambda flag=flag: syscall(272, flag)) for flag in (CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWCGROUP)]
    attempts += [("clone NEWUSER", lambda: raw_clone(CLONE_NEWUSER))]
    attempts += [("clone3", lambda: syscall(435, ctypes.byref((ctypes.c_uint64 * 11)(CLONE_NEWUSER)), 88))]
    attempts += [(f"setns {path}", lambda path=path: join(path)) for path in ("/proc/1/ns/mnt", "/proc/1/ns/net", "/proc/self/ns/user", "/proc/self/ns/mnt")]
    all_refused(attempts)


def mounts():
    need_x86()
    text = ctypes.c_char_p
    all_refused(
        [
            ("mount tmpfs", lambda: syscall(165, text(b"none"), text(b"/tmp"), text(b"tmpfs"), 0, None)),
            ("mount bind", lambda: syscall(165, text(b"/"), text(b"/tmp"), None, 4096, None)),
            ("remount rw", lambda: syscall(165, None, text(b"/"), None, 32 | 4096, None)),
            ("umount /proc", lambda: syscall(166, text(b"/proc"), 2)),
            ("pivot_root", lambda: syscall(155, text(b"/tmp"), text(b"/tmp"))),
            ("chroot", lambda: os.chroot("/tmp")),
            ("fsopen", lambda: syscall(430, text(b"tmpfs"), 0)),
            ("open_tree", lambda: syscall(428, -100, text(b"/"), 1)),
            ("move_mount", lambda: syscall(429, -100, text(b"/tmp"), -100, text(b"/tmp"), 0)),
        ]
    )


def keyring():
    need_x86()
    text = ctypes.c_char_p
    all_refused(
        [
            ("add_key", lambda: syscall(248, text(b"user"), text(b"bulkhead-test"), text(b"x"), 1, -3)),
            ("request_key", lambda: syscall(249, text(b"user"), text(b"bulkhead-test"), None, 0)),
            ("keyctl", lambda: syscall(250, 0, -3, 1)),
        ]
    )


def io_uring():
    need_x86()
    parameters = (ctypes.c_char * 256)()
    all_refused([("io_uring_setup", lambda: syscall(425, 4, ctypes.byref(parameters)))])


def dangerous_calls():
    need_x86()
    text = ctypes.c_char_p
    buffer = (ctypes.c_char * 256)()
    # Arguments the kernel itself would accept: an array map of one entry; a handle of 8 bytes.
    array_map = (ctypes.c_uint32 * 32)(2, 4, 4, 1)
    handle = (ctypes.c_uint32 * 8)(8, 1)
    all_refused(
        [
            ("bpf", lambda: syscall(321, 0, ctypes.byref(array_map), 128)),
            ("perf_event_open", lambda: syscall(298, ctypes.byref(buffer), 0, -1, -1, 0)),
            ("userfaultfd", lambda: syscall(323, 0)),
            ("open_by_handle_at", lambda: syscall(304, -100, ctypes.byref(handle), 0)),
            ("init_module", lambda: syscall(175, ctypes.byref(buffer), 16, text(b""))),
            ("kexec_load", lambda: syscall(246, 0, 0, None, 0)),
            ("swapon", lambda: syscall(167, text(b"/tmp/x"), 0)),
            ("reboot", lambda: syscall(169, 0, 0, 0, None)),
            ("sethostname", lambda: syscall(170, text(b"x"), 1)),
            ("settimeofday", lambda: syscall(164, ctypes.byref(buffer), None)),
            ("personality", lambda: syscall(103, 8, None, 0)),
        ]
    )


def vsock():
    attempts = [("AF_VSOCK", lambda: socket.socket(40, socket.SOCK_STREAM)), ("AF_PACKET", lambda: socket.socket(17, socket.SOCK_RAW)), ("raw IP", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)), ("AF_ALG", lambda: socket.socket(38, socket.SOCK_SEQPACKET)), ("AF_BLUETOOTH", lambda: socket.socket(31, socket.SOCK_RAW, 1))]
    all_refused(attempts)


def tiocsti():
    pid, master = pty.fork()
    if pid == 0:
        # The pty is our controlling terminal here: all that the kernel alone would ask for.
        try:
            fcntl.ioctl(0, termios.TIOCSTI, b"x")
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        escaped("pushed a key into a terminal")
    stopped(errno.errorcode.get(code, str(code)) + " from ioctl")


# the agent


def read_agent():
    attempts = []
    for pid in strangers():
        attempts += [(f"environ of {pid}", lambda pid=pid: open(f"/proc/{pid}/environ", "rb").read())]
        attempts += [(f"mem of {pid}", opener(f"/proc/{pid}/mem", os.O_RDONLY))]
        attempts += [(f"fd of {pid}", lambda pid=pid: os.listdir(f"/proc/{pid}/fd"))]
        attempts += [(f"root of {pid}", lambda pid=pid: os.listdir(f"/proc/{pid}/root/"))]
        attempts += [(f"maps of {pid}", lambda pid=pid: open(f"/proc/{pid}/maps").read())]
    all_refused(attempts)


def kill_agent():
    all_refused([(f"kill {pid}", lambda pid=pid: os.kill(pid, signal.SIGKILL)) for pid in strangers()])


def ptrace_agent():
    need_x86()
    local = (ctypes.c_char * 16)()

    def vector():
        return ctypes.byref((ctypes.c_void_p * 2)(ctypes.addressof(local), 16))

    attempts = []
    for pid in strangers():
        attempts += [(f"attach {pid}", lambda pid=pid: syscall(101, 16, pid, 0, 0)), (f"seize {pid}", lambda pid=pid: syscall(101, 0x4206, pid, 0, 0))]
        attempts += [(f"readv {pid}", lambda pid=pid: syscall(310, pid, vector(), 1, vector(), 1, 0)), (f"pidfd {pid}", lambda pid=pid: steal_fd(pid))]
    all_refused(attempts)


def steal_fd(pid):
    fd = os.pidfd_open(pid)
    try:
        syscall(438, fd, 0, 0)
    finally:
        os.close(fd)


def socket_swap():
    found = set()
    for line in open("/proc/net/unix").read().splitlines()[1:]:
        fields = line.split()
        if len(fields) == 8 and not fields[7].startswith("@"):
            found.add(fields[7])
    for top, directories, files in os.walk("/"):
        if top in ("/proc", "/sys"):
            directories.clear()
            continue
        for file in files:
            path = os.path.join(top, file)
            try:
                if (os.lstat(path).st_mode & 0o170000) == 0o140000:
                    found.add(path)
            except OSError:
                pass
    seen = [path for path in sorted(found) if os.path.exists(path)]
    if not seen:
        stopped("no socket of the platform is visible in here")

    def swap(path):
        os.rename(path, path + ".old")
        os.symlink("/somewhere", path)

    all_refused([(f"swap {path}", lambda path=path: swap(path)) for path in seen] + [(f"create beside {path}", lambda path=path: os.symlink("/x", path + ".new")) for path in seen])


# other sandboxes and the host


def other_sandbox(file_marker, process_marker):
    """The markers come in hexadecimal, or our own command line would hold them."""
    marker, sleeper = bytes.fromhex(file_marker).decode(), bytes.fromhex(process_marker).decode()
    for top in ("/workspace", "/tmp", "/dev/shm", "/var/tmp", "/run", "/home", "/mnt"):
        for directory, _, files in os.walk(top):
            for file in files:
                path = os.path.join(directory, file)
                try:
                    if os.path.isfile(path) and marker in open(path, errors="replace").read(100_000):
                        escaped(path)
                except OSError:
                    pass
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and sleeper in open(f"/proc/{entry}/cmdline").read().replace("\0", " "):
                escaped("process " + entry)
        except OSError:
            pass
    if marker in " ".join(os.environ.values()):
        escaped("environment")
    stopped("own mount and PID namespaces")


def host_files(*paths):
    attempts = []
    for path in [*paths, "/etc/shadow", "/root", "/var/run/docker.sock", "/proc/1/root", "/var/lib", "/boot", "/sys/kernel/debug"]:
        attempts.append((path, lambda path=path: os.listdir(path) if os.path.isdir(path) else opener(path, os.O_RDONLY)()))
    by = {}
    for label, attempt in attempts:
        try:
            reached = attempt()
        except OSError as error:
            by.setdefault(name(error), []).append(label)
        else:
            if reached:
                escaped(f"{label} {reached[:5]}")
            by.setdefault("empty", []).append(label)
    stopped("; ".join(f"{error}: {len(labels)} paths" for error, labels in by.items()))


def write_base():
    paths = ["/usr/bin/bulkhead-x", "/etc/bulkhead-x", "/opt/bulkhead/x", "/bulkhead-x", "/dev/bulkhead-x", "/usr/lib/bulkhead-x", "/sys/fs/cgroup/bulkhead-x", "/proc/bulkhead-x", "/bin/sh", "/usr/bin/python3"]
    all_refused([(path, opener(path, os.O_WRONLY | os.O_CREAT)) for path in paths])


# more than its share


def fork_bomb():
    children = []
    try:
        for _ in range(4000):
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            children.append(pid)
    except OSError as error:
        count = len(children)
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        stopped(f"{name(error)} from fork after {count}")
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    escaped(f"{len(children)} processes")


def memory_hog(megabytes):
    held = []
    try:
        for _ in range(int(megabytes) // 16):
            held.append(bytearray(os.urandom(4096) * 4096))
    except MemoryError:
        stopped("MemoryError")
    escaped(f"{megabytes} MB held")


def disk_filler(directory, megabytes):
    path = os.path.join(directory, "fill")
    block = b"\1" * (1 << 20)
    written = 0
    try:
        with open(path, "wb", buffering=0) as stream:
            while written < int(megabytes):
                stream.write(block)
                written += 1
    except OSError as error:
        os.unlink(path)
        stopped(f"{name(error)} after {written} MB")
    os.unlink(path)
    escaped(f"{written} MB in {directory}")


def inode_filler(directory, limit):
    base = os.path.join(directory, "inodes")
    os.mkdir(base)
    made = 0
    problem = None
    try:
        for made in range(int(limit)):
            if made % 10_000 == 0:
                os.mkdir(f"{base}/{made // 10_000}")
            os.close(os.open(f"{base}/{made // 10_000}/{made}", os.O_CREAT | os.O_WRONLY))
    except OSError as error:
        problem = name(error)
    import shutil

    shutil.rmtree(base, ignore_errors=True)
    if problem is None:
        escaped(f"{limit} files in {directory}")
    stopped(f"{problem} after {made} files")


def cpu_hog(processes, seconds, marker):
    children = []
    for _ in range(int(processes)):
        children.append(os.fork())
        if children[-1] == 0:
            end = time.monotonic() + float(seconds)
            while time.monotonic() < end:
                pass
            os._exit(0)
    start = time.monotonic()
    for child in children:
        os.waitpid(child, 0)
    used = sum(os.times()[2:4])
    print(f"USED {used / (time.monotonic() - start):.3f}", marker)


# the network


def direct_network(host_port):
    def connect(address, family=socket.AF_INET):
        def attempt():
            with socket.socket(family, socket.SOCK_STREAM) as client:
                client.settimeout(3)
                client.connect(address)

        return attempt

    attempts = [
        ("1.1.1.1:443", connect(("1.1.1.1", 443))),
        ("metadata 169.254.169.254:80", connect(("169.254.169.254", 80))),
        ("host 127.0.0.1", connect(("127.0.0.1", int(host_port)))),
        ("10.0.0.1:80", connect(("10.0.0.1", 80))),
        ("IPv6", connect(("2606:4700:4700::1111", 443), socket.AF_INET6)),
        ("DNS", lambda: socket.getaddrinfo("example.com", 443)),
        ("UDP 1.1.1.1:53", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("1.1.1.1", 53))),
    ]
    interfaces = [entry for _, entry in socket.if_nameindex() if entry != "lo"]
    if interfaces:
        escaped("interfaces " + ", ".join(interfaces))
    all_refused(attempts)


def proxy_private(host_port):
    proxy = os.environ.get("HTTP_PROXY") or os.environ.get("http_proxy")
    if not proxy:
        stopped("no proxy is offered")
    address = proxy.split("://", 1)[-1].rstrip("/").rsplit("@", 1)[-1]
    host, port = address.rsplit(":", 1)
    targets = ["169.254.169.254:80", f"127.0.0.1:{host_port}", f"localhost:{host_port}", "10.0.0.1:80", "192.168.0.1:80", "172.16.0.1:80", f"[::1]:{host_port}", f"[::ffff:127.0.0.1]:{host_port}", f"0.0.0.0:{host_port}", f"2130706433:{host_port}", f"0x7f000001:{host_port}", f"127.1:{host_port}", "100.100.100.200:80", "[fd00:ec2::254]:80", "metadata.google.internal:80"]
    statuses = {}
    for target in targets:
        for request in (f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n", f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n"):
            with socket.create_connection((host, int(port)), timeout=15) as client:
                client.sendall(request.encode())
                status = client.recv(4096).split(b"\r\n", 1)[0].decode(errors="replace")
            code = status.split(" ")[1] if " " in status else "closed"
            if code.startswith("2") or code.startswith("3"):
                escaped(f"{target}: {status}")
            statuses[code] = statuses.get(code, 0) + 1
    stopped("egress proxy: " + ", ".join(f"{count} × {code}" for code, count in statuses.items()))


def symlink_swap(seconds):
    """Swaps a directory with a link to /etc as fast as it can while the host asks for files through it."""
    base = "/workspace/swap"
    os.makedirs(base + "/real", exist_ok=True)
    open(base + "/real/passwd", "w").write("harmless")
    os.symlink("/etc", base + "/link")
    end = time.monotonic() + float(seconds)
    exchange = lambda a, b: syscall(316, -100, ctypes.c_char_p(a.encode()), -100, ctypes.c_char_p(b.encode()), 2)
    while time.monotonic() < end:
        exchange(base + "/real", base + "/link")


globals()[sys.argv[1]](*sys.argv[2:])
escaped("nothing was decided")
