"""An interpreter that keeps its variables: runs one cell after the other with IPython's InteractiveShell.

Requests are lines of JSON on descriptor 3, answers lines of JSON on descriptor 4. Output goes to descriptors 1 and 2 as it comes;
after each cell a mark that the request names is written to both, so that the reader knows where its output ends. Only the process
that started here does any of this: one that a cell forks ends where its cell does.
"""

import atexit
import json
import os
import signal
import sys
import threading

REQUEST_FD = 3
ANSWER_FD = 4
# The process that reads and answers.
KERNEL = os.getpid()
# Bytes of one kind of output; beyond, a note takes its place.
LIMIT = 8 * 1024 * 1024
# The value of the last expression is for reading.
RESULT_LIMIT = 64 * 1024
# Rows of a data frame that go out as JSON.
FRAME_ROWS = 10000

JOINED = ("html", "markdown", "latex", "svg")
KINDS = (
    ("image/png", "png"),
    ("image/svg+xml", "svg"),
    ("text/html", "html"),
    ("text/markdown", "markdown"),
    ("text/latex", "latex"),
    ("application/json", "json"),
    ("application/vnd.plotly.v1+json", "json"),
)


class Outputs:
    """What one cell showed, by kind."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.shown = {}
        self.notes = []

    def put(self, kind, value):
        if isinstance(value, bytes):
            import base64

            value = base64.b64encode(value).decode("ascii")
        if kind == "png" and isinstance(value, str):
            # Encoders put line ends into it.
            value = value.replace("\n", "")
        joined = value
        if kind in JOINED and kind in self.shown and isinstance(value, str):
            joined = self.shown[kind] + "\n" + value
        size = len(joined) if isinstance(joined, str) else len(json.dumps(joined, default=str))
        if size > LIMIT:
            self.notes.append("%s output left out: %d bytes, at most %d are kept" % (kind, size, LIMIT))
        else:
            self.shown[kind] = joined

    def show(self, data):
        """Takes every form of one value. Answers whether any of them is more than text."""
        found = False
        for mime, kind in KINDS:
            if mime in data:
                self.put(kind, data[mime])
                found = True
        return found

    def result(self, text):
        if len(text) > RESULT_LIMIT:
            text = "%s… (%d characters in all)" % (text[:RESULT_LIMIT], len(text))
        self.shown["result"] = text


def plain(value):
    tolist = getattr(value, "tolist", None)
    return tolist() if callable(tolist) else str(value)


def make_shell(outputs):
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Type
    from traitlets.config import Config

    class Publisher(DisplayPublisher):
        def publish(self, data, metadata=None, *_arguments, **_options):
            if not outputs.show(data) and "text/plain" in data:
                print(data["text/plain"])

        def clear_output(self, wait=False):
            outputs.reset()

    class Hook(DisplayHook):
        def write_output_prompt(self):
            pass

        def write_format_data(self, format_dict, md_dict=None):
            outputs.show(format_dict)
            if "text/plain" in format_dict:
                outputs.result(format_dict["text/plain"])

        def finish_displayhook(self):
            sys.stdout.flush()

    class Shell(InteractiveShell):
        display_pub_class = Type(Publisher)
        displayhook_class = Type(Hook)

        def showtraceback(self, *arguments, **options):
            error = sys.exc_info()[1]
            # That a kernel does not end so is nothing to tell a child, which does.
            if isinstance(error, SystemExit):
                end_child(error)
            super().showtraceback(*arguments, **options)

        def _showtraceback(self, etype, evalue, stb):
            sys.stderr.write(self.InteractiveTB.stb2text(stb) + "\n")

        def init_io(self):
            pass

    config = Config()
    # Nothing of one sandbox is worth a database on its disk.
    config.HistoryManager.enabled = False
    shell = Shell.instance(config=config)
    for color in ("nocolor", "NoColor"):
        try:
            shell.colors = color
            break
        except Exception:
            continue
    # Its output goes where the kernel's goes.
    shell.system = shell.system_raw
    return shell


def refuse_input(*_arguments, **_options):
    raise RuntimeError("input() has nobody to ask here: pass values in the code or in a file")


def show_frame(outputs, value):
    kind = type(value)
    if kind.__name__ != "DataFrame" or (kind.__module__ or "").split(".")[0] != "pandas" or len(value) > FRAME_ROWS:
        return
    text = value.to_json(orient="records", date_format="iso", default_handler=str)
    if len(text) <= LIMIT:
        outputs.shown["dataframe"] = json.loads(text)


class Environment:
    """Variables come from the sandbox and from single requests; what a cell itself sets stays."""

    def __init__(self):
        self.sandbox = {}

    def follow(self, wanted):
        for name, value in self.sandbox.items():
            if name not in wanted and os.environ.get(name) == value:
                del os.environ[name]
        for name, value in wanted.items():
            if self.sandbox.get(name) != value:
                os.environ[name] = value
        self.sandbox = dict(wanted)

    def overlay(self, own):
        before = {name: os.environ.get(name) for name in own}
        os.environ.update(own)

        def restore():
            for name, value in before.items():
                # What the cell made of it is the cell's.
                if os.environ.get(name) != own[name]:
                    continue
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

        return restore


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            # What the cell took away or closed has no last words.
            pass


# In a child: whether it was kept from what is the kernel's.
begun = False


def begin_child():
    """Takes what is the kernel's from a child, and nothing from the children of that."""
    global begun
    if begun:
        return
    begun = True
    for descriptor in (REQUEST_FD, ANSWER_FD):
        try:
            os.close(descriptor)
        except OSError:
            pass
    # Exit handlers would remove what the kernel still needs.
    atexit._clear()


def end_child(error):
    """Ends this process as an interpreter ends its program, unless it is the kernel."""
    if os.getpid() == KERNEL:
        return
    # Libraries fork without the interpreter's knowledge.
    begin_child()
    code = 0 if error is None else 1
    try:
        if isinstance(error, SystemExit):
            code = exit_code(error.code)
        threading._shutdown()
        atexit._run_exitfuncs()
    finally:
        flush()
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        os._exit(code)


def exit_code(value):
    if value is None:
        return 0
    if isinstance(value, int):
        return value & 0xFF
    print(value, file=sys.stderr)
    return 1


def mark(text):
    """The end of a cell's output, on both streams. A cell that closed one of them has no output there."""
    flush()
    for descriptor in (1, 2):
        try:
            os.write(descriptor, text)
        except OSError:
            pass


def run_cell(shell, outputs, environment, request):
    outputs.reset()
    environment.follow(request["sandbox_env"])
    restore = environment.overlay(request["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    success = False
    try:
        outcome = shell.run_cell(request["code"], store_history=True, silent=False)
        end_child(outcome.error_in_exec)
        success = outcome.success
        if success:
            show_frame(outputs, outcome.result)
    except KeyboardInterrupt as error:
        sys.stderr.write("KeyboardInterrupt\n")
        end_child(error)
    except BaseException as error:
        # IPython's own machinery failed, e.g. for want of memory.
        sys.stderr.write("%s: %s\n" % (type(error).__name__, error))
        end_child(error)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        restore()
    return {
        "id": request["id"],
        "success": success,
        "execution_count": shell.execution_count - 1,
        "outputs": outputs.shown,
        "notes": outputs.notes[:20],
    }


def encoded(answer):
    try:
        return json.dumps(answer, default=plain, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        kept = {kind: value for kind, value in answer["outputs"].items() if isinstance(value, str)}
        notes = answer["notes"] + ["json output left out: it cannot be written as JSON"]
        return json.dumps({**answer, "outputs": kept, "notes": notes})


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a cell starts must not hold these open.
    for descriptor in (REQUEST_FD, ANSWER_FD):
        os.set_inheritable(descriptor, False)
    # What is printed before a fork is printed once.
    os.register_at_fork(before=flush, after_in_child=begin_child)
    answers = os.fdopen(ANSWER_FD, "w", encoding="utf-8", closefd=False)

    def say(text):
        answers.write(text + "\n")
        answers.flush()

    try:
        outputs = Outputs()
        shell = make_shell(outputs)
    except ImportError as error:
        say(json.dumps({"missing": str(error)}))
        return
    import builtins

    builtins.input = refuse_input
    # Imports start at the working directory, and not beside this file.
    sys.path[0] = ""
    sys.argv[:] = [""]
    environment = Environment()
    say(json.dumps({"ready": True}))
    with open(REQUEST_FD, encoding="utf-8", closefd=False) as requests:
        for line in requests:
            request = json.loads(line)
            answer = run_cell(shell, outputs, environment, request)
            mark(request["mark"].encode("ascii"))
            say(encoded(answer))


main()
