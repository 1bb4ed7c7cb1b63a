"""A Python that has started already: forks a fresh process for each program.

Requests are lines of JSON on descriptor 3, answers lines of JSON on descriptor 4. One child is always forked ahead and waits for its
program. It connects to the agent's socket with the token of its run, once for each of stdout, stderr and report; its program
starts only when the agent has taken all of them, so a run that was given up never begins. What a program imports of the libraries below is
imported here for the next ones, from directories that programs cannot write to. Only the process that was forked here tells what it imported,
and how it ended: the children that it forks itself are none of this server's business, and may outlive it.
"""

import sys

# What any interpreter has at its start: no file of a program's own takes the place of these.
STARTUP = set(sys.modules)

import fcntl
import gc
import importlib.util
import json
import mmap
import os
import select
import signal
import socket

REQUEST_FD = 3
ANSWER_FD = 4
HERE = os.path.dirname(os.path.abspath(__file__))
# How long a fork for the next program waits while one runs.
PATIENCE_S = 0.02
# Between attempts to fork at the process limit.
RETRY_S = 0.25
# Slow to import, and the same for every program.
KNOWN = (
    "numpy",
    "pandas",
    "matplotlib",
    "matplotlib.pyplot",
    "scipy",
    "scipy.stats",
    "scipy.optimize",
    "sklearn",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "seaborn",
    "plotly",
    "plotly.express",
    "plotly.graph_objects",
    "requests",
    "PIL.Image",
)


def is_trusted(path):
    """Nobody but the agent's side writes below it: an absolute place that this user cannot change."""
    return os.path.isabs(path) and os.path.exists(path) and not os.access(path, os.W_OK)


def stamp():
    """What would make a program see other modules than this process: a place on the path that appeared, went or changed."""
    import site

    places = sys.path + [site.getusersitepackages()]
    stamps = []
    for place in places:
        try:
            stamps.append((place, os.stat(place).st_mtime_ns))
        except OSError:
            stamps.append((place, None))
    return stamps


class Server:
    def __init__(self):
        # The directory of this file is no place of modules.
        sys.path.pop(0)
        self.stamp = stamp()
        # It needs no place, and programs may remove the one it started in.
        os.chdir("/")
        # Names of KNOWN that need not be imported again, or cannot be.
        self.met = set()
        # The child that waits for a program: its pid, where it reads its request, the page on which it marks what it imported.
        self.spare = None
        # Whether the last fork was refused.
        self.stuck = False
        # Whether modules have changed: it stays for the programs that run, and takes no more.
        self.retired = False
        # By pid: the token and the page of a program.
        self.runs = {}
        self.learned = []
        self.answers = os.fdopen(ANSWER_FD, "w", encoding="utf-8", closefd=False)
        with open(os.path.join(HERE, "run.py"), encoding="utf-8") as stream:
            self.program = compile(stream.read(), os.path.join(HERE, "run.py"), "exec")
        self.settle()

    def settle(self):
        """What is here now is here for good: children neither look through it nor copy it."""
        gc.collect()
        gc.freeze()

    def say(self, **answer):
        self.answers.write(json.dumps(answer) + "\n")
        self.answers.flush()

    def learn(self, names):
        """Imports what programs use, in this order, with nothing of theirs in reach."""
        before = list(sys.path)
        sys.path[:] = [place for place in sys.path if is_trusted(place)]
        self.met.update(names)
        try:
            for name in names:
                try:
                    if importlib.util.find_spec(name) is not None:
                        __import__(name)
                except Exception:
                    # Programs will meet the same, and say so themselves.
                    continue
        finally:
            sys.path[:] = before
            self.settle()

    def fork_spare(self):
        """@returns in the child: its request; in the server: None, also when the system has no process for it now"""
        sys.stdout.flush()
        sys.stderr.flush()
        ends = ()
        try:
            ends = reader, writer = os.pipe()
            # Shared memory and no pipe: nobody waits for it, and no descriptor of a program can come to mean it.
            lesson = mmap.mmap(-1, len(KNOWN))
            pid = os.fork()
        except OSError:
            for end in ends:
                os.close(end)
            self.stuck = True
            return None
        if pid == 0:
            os.close(writer)
            return self.become(reader, lesson)
        os.close(reader)
        self.stuck = False
        self.spare = (pid, writer, lesson)
        return None

    def become(self, reader, lesson):
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for descriptor in self.private:
            os.close(descriptor)
        for _, other in self.runs.values():
            other.close()
        self.runs.clear()
        os.setsid()
        data = b""
        while not data.endswith(b"\n"):
            chunk = os.read(reader, 65536)
            if not chunk:
                os._exit(0)
            data += chunk
        os.close(reader)
        return {**json.loads(data), "lesson": lesson}

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self.spare is not None and pid == self.spare[0]:
                self.drop_spare()
            if pid not in self.runs:
                continue
            token, lesson = self.runs.pop(pid)
            self.learned += [name for name, met in zip(KNOWN, lesson[:]) if met and name not in self.met]
            lesson.close()
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
            self.say(token=token, code=code, signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)

    def drop_spare(self):
        _, writer, lesson = self.spare
        self.spare = None
        os.close(writer)
        lesson.close()

    def give(self, line):
        """Hands a program to the spare."""
        request = json.loads(line)
        if self.retired or stamp() != self.stamp:
            # Another process will see what this one cannot.
            self.retired = True
            if self.spare is not None:
                self.drop_spare()
            self.say(token=request["token"], refused="modules have changed", retired=True)
            return
        if self.spare is None:
            self.say(token=request["token"], refused="nobody is ready")
            return
        pid, writer, lesson = self.spare
        self.spare = None
        self.runs[pid] = (request["token"], lesson)
        self.say(token=request["token"], pid=pid)
        try:
            data = line.encode("utf-8") + b"\n"
            while data:
                data = data[os.write(writer, data) :]
        except OSError:
            # It has died; its end is told as that of any other.
            pass
        os.close(writer)

    def lacks_spare(self):
        return self.spare is None and not self.retired

    def patience(self):
        """How long to wait for something to do before a spare is forked; None: as long as it takes."""
        if not self.lacks_spare():
            return None
        if self.stuck:
            return RETRY_S
        # A fork takes longer than a small program: it waits until nothing else is to be done.
        return PATIENCE_S if self.runs else 0

    def serve(self):
        """@returns in a child: its request. Never returns in the server."""
        wake_reader, wake_writer = os.pipe()
        os.set_blocking(wake_writer, False)
        os.set_blocking(wake_reader, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.private = (REQUEST_FD, ANSWER_FD, wake_reader, wake_writer)
        pending = b""
        told = False
        while True:
            if self.learned and not self.runs and not self.retired:
                self.say(busy=True)
                self.learn(list(dict.fromkeys(self.learned)))
                self.learned = []
                if self.spare is not None:
                    self.drop_spare()
                told = False
            readable, _, _ = select.select([REQUEST_FD, wake_reader], [], [], self.patience())
            if self.lacks_spare() and (not readable or REQUEST_FD in readable):
                request = self.fork_spare()
                if request is not None:
                    return request
            if self.spare is not None and not told:
                told = True
                self.say(ready=True)
            if wake_reader in readable:
                try:
                    os.read(wake_reader, 4096)
                except BlockingIOError:
                    pass
                self.reap()
            if REQUEST_FD not in readable:
                continue
            chunk = os.read(REQUEST_FD, 1 << 20)
            if not chunk:
                sys.exit(0)
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                if self.lacks_spare():
                    request = self.fork_spare()
                    if request is not None:
                        return request
                self.give(line.decode("utf-8"))


def connect(request, role):
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stream.connect(request["socket"])
    stream.sendall(("%s %s\n" % (request["token"], role)).encode("ascii"))
    return stream


def shadowed():
    """Whether the program would import something of its own where this process has imported another."""
    tops = {name.split(".")[0] for name in set(sys.modules) - STARTUP}
    try:
        names = {name.split(".")[0] for name in os.listdir(".")}
    except OSError:
        return True
    return bool(tops & names)


def prepare(request):
    """Everything a process has of its own: mark, place, environment, descriptors. What cannot be as it should is left to a fresh one."""
    try:
        if request["mark"] > 0:
            with open("/proc/self/oom_score_adj", "w") as own:
                own.write(str(request["mark"]))
        os.chdir(request["cwd"])
        code = os.memfd_create("code")
        data = request["code"].encode("utf-8")
        while data:
            data = data[os.write(code, data) :]
        os.lseek(code, 0, os.SEEK_SET)
        os.environ.clear()
        os.environ.update(request["env"])
        possible = not shadowed()
    except (OSError, ValueError):
        # ValueError: text that has no bytes.
        possible = False
    if not possible:
        connect(request, "refused")
        os._exit(0)
    streams = [connect(request, role) for role in ("stdout", "stderr", "report")]
    if streams[0].recv(1) != b"+":
        os._exit(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    # Out of the way first: their own numbers may be among those that they get.
    sources = [nothing, streams[0].detach(), streams[1].detach(), code, streams[2].detach()]
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 50) for descriptor in sources]
    for descriptor in sources:
        os.close(descriptor)
    for target, source in enumerate(moved):
        os.dup2(source, target, inheritable=target < 3)
        os.close(source)
    import time

    time.tzset()
    if request["env"].get("PYTHONUNBUFFERED"):
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(write_through=True, line_buffering=True)
    # As with a script, whose directory comes first: run.py writes it there.
    sys.path.insert(0, "")
    importlib.invalidate_caches()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def strip(trace):
    """Without the frames of this file."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def run(server, request):
    """The program, and the end of the process as an interpreter's own. Never returns."""
    import threading

    prepare(request)
    owner = os.getpid()
    code = 0
    interrupted = False
    try:
        exec(server.program, {"__name__": "__main__", "__file__": os.path.join(HERE, "run.py"), "__builtins__": __builtins__})
    except SystemExit as end:
        if isinstance(end.code, int):
            code = end.code & 0xFF
        elif end.code is not None:
            print(end.code, file=sys.stderr)
            code = 1
    except BaseException as error:
        code = 1
        interrupted = isinstance(error, KeyboardInterrupt)
        sys.excepthook(type(error), error, strip(error.__traceback__))
    for step in (threading._shutdown, finish_exit_handlers, lambda: forget(sys.modules.get("__main__"))):
        try:
            step()
        except BaseException:
            sys.excepthook(*sys.exc_info())
    if request["learn"] and os.getpid() == owner:
        request["lesson"][:] = bytes(name in sys.modules for name in KNOWN)
    for stream in (sys.stdout, sys.stderr):
        if not flush(stream):
            code = 120
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code)


def flush(stream):
    """@returns false where an interpreter would say that it could not write its last words"""
    try:
        # What the program took away or closed has none.
        if stream is not None and not getattr(stream, "closed", False):
            stream.flush()
    except Exception:
        return False
    return True


def finish_exit_handlers():
    import atexit

    atexit._run_exitfuncs()


def forget(module):
    """Objects of the program are finalized as at the end of an interpreter."""
    if module is not None and module.__dict__ is not globals():
        module.__dict__.clear()


SERVER = Server()
run(SERVER, SERVER.serve())
