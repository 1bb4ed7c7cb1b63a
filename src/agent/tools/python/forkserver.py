"""A Python that has started already: forks a fresh process for each program.

Requests are lines of JSON on descriptor 3, answers lines of JSON on descriptor 4. One child is always forked ahead and waits for its
program. It connects to the agent's socket with the token of its run, once for each of stdout, stderr and report; its program
starts only when the agent has taken all of them, so a run that was given up never begins. What a program imports of the libraries below is
imported here for the next ones, from directories that programs cannot write to.
"""

import sys

# What any interpreter has at its start: no file of a program's own takes the place of these.
STARTUP = set(sys.modules)

import fcntl
import gc
import importlib.util
import json
import os
import select
import signal
import socket

REQUEST_FD = 3
ANSWER_FD = 4
HERE = os.path.dirname(os.path.abspath(__file__))
# How long a fork for the next program waits while one runs.
PATIENCE_S = 0.02
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
        self.preloaded = set()
        self.spare = None
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
        cwd = os.getcwd()
        sys.path[:] = [place for place in sys.path if is_trusted(place)]
        os.chdir("/")
        try:
            for name in names:
                try:
                    if importlib.util.find_spec(name) is not None:
                        __import__(name)
                        self.preloaded.add(name)
                except Exception:
                    # Programs will meet the same, and say so themselves.
                    continue
        finally:
            sys.path[:] = before
            os.chdir(cwd)
            self.settle()

    def fork_spare(self):
        """@returns in the child: its request; in the server: None"""
        reader, writer = os.pipe()
        teach_reader, teach_writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(writer)
            os.close(teach_reader)
            return self.become(reader, teach_writer)
        os.close(reader)
        os.close(teach_writer)
        self.spare = (pid, writer, teach_reader)
        return None

    def become(self, reader, teach_writer):
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for descriptor in self.private:
            os.close(descriptor)
        for _, teach in self.runs.values():
            os.close(teach)
        os.setsid()
        data = b""
        while not data.endswith(b"\n"):
            chunk = os.read(reader, 65536)
            if not chunk:
                os._exit(0)
            data += chunk
        os.close(reader)
        return {**json.loads(data), "teach": teach_writer}

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
            token, teach = self.runs.pop(pid)
            names = os.read(teach, 4096).decode("ascii", "replace").split()
            os.close(teach)
            self.learned += [name for name in KNOWN if name in names and name not in self.preloaded]
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
            self.say(token=token, code=code, signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)

    def drop_spare(self):
        pid, writer, teach = self.spare
        self.spare = None
        os.close(writer)
        os.close(teach)

    def give(self, line):
        """Hands a program to the spare."""
        request = json.loads(line)
        if stamp() != self.stamp:
            # Another process will see what this one cannot.
            self.say(token=request["token"], refused="modules have changed")
            sys.exit(0)
        if self.spare is None:
            self.say(token=request["token"], refused="nobody is ready")
            return
        pid, writer, teach = self.spare
        self.spare = None
        os.set_blocking(teach, False)
        self.runs[pid] = (request["token"], teach)
        self.say(token=request["token"], pid=pid)
        try:
            data = line.encode("utf-8") + b"\n"
            while data:
                data = data[os.write(writer, data) :]
        except OSError:
            # It has died; its end is told as that of any other.
            pass
        os.close(writer)

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
            if self.learned and not self.runs:
                self.say(busy=True)
                self.learn(list(dict.fromkeys(self.learned)))
                self.learned = []
                if self.spare is not None:
                    self.drop_spare()
                told = False
            # A fork takes longer than a small program: it waits until nothing else is to be done.
            patience = None if self.spare is not None else PATIENCE_S if self.runs else 0
            readable, _, _ = select.select([REQUEST_FD, wake_reader], [], [], patience)
            if self.spare is None and (not readable or REQUEST_FD in readable):
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
                if self.spare is None:
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
        possible = not shadowed()
    except OSError:
        possible = False
    if not possible:
        connect(request, "refused")
        os._exit(0)
    streams = [connect(request, role) for role in ("stdout", "stderr", "report")]
    if streams[0].recv(1) != b"+":
        os._exit(0)
    code = os.memfd_create("code")
    data = request["code"].encode("utf-8", "surrogateescape")
    while data:
        data = data[os.write(code, data) :]
    os.lseek(code, 0, os.SEEK_SET)
    nothing = os.open(os.devnull, os.O_RDONLY)
    # Out of the way first: their own numbers may be among those that they get.
    sources = [nothing, streams[0].detach(), streams[1].detach(), code, streams[2].detach(), request["teach"]]
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 50) for descriptor in sources]
    for descriptor in sources:
        os.close(descriptor)
    for target, source in enumerate(moved[:5]):
        os.dup2(source, target, inheritable=target < 3)
        os.close(source)
    teach = moved[5]
    os.environ.clear()
    os.environ.update(request["env"])
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
    return teach


def strip(trace):
    """Without the frames of this file."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def run(server, request):
    """The program, and the end of the process as an interpreter's own. Never returns."""
    import threading

    teach = prepare(request)
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
    try:
        if request["learn"]:
            os.write(teach, " ".join(name for name in KNOWN if name in sys.modules).encode("ascii"))
    except OSError:
        pass
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            # As an interpreter does when it cannot write its last words.
            code = code or 120
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code)


def finish_exit_handlers():
    import atexit

    atexit._run_exitfuncs()


def forget(module):
    """Objects of the program are finalized as at the end of an interpreter."""
    if module is not None and module.__dict__ is not globals():
        module.__dict__.clear()


SERVER = Server()
run(SERVER, SERVER.serve())
