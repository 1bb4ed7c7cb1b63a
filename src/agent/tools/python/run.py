"""Runs the program on descriptor 3 as __main__ and reports on descriptor 4 what it showed.

The report is one JSON object with any of png, html, json, svg, markdown, result, dataframe, notes. It is written once, when
the program has ended, and only by the process that started here. Libraries are never imported for their own sake: what
the program did not import cannot have shown anything.
"""

import sys

CODE_FD = 3
REPORT_FD = 4
# Bytes of one kind of output; beyond, a note takes its place.
LIMIT = 8 * 1024 * 1024
# The value of the last expression is for reading.
RESULT_LIMIT = 64 * 1024


def _main():
    import builtins
    import os

    own_file = __file__
    owner = os.getpid()
    shown = {}
    notes = []
    # Figures that became pictures, in order.
    drawn = []

    def put(kind, value):
        if kind == "result" and len(value) > RESULT_LIMIT:
            value = "%s… (%d characters in all)" % (value[:RESULT_LIMIT], len(value))
        size = len(value) if isinstance(value, str) else 0
        if size > LIMIT:
            notes.append("%s output left out: %d bytes, at most %d are kept" % (kind, size, LIMIT))
        elif kind in shown and kind in ("html", "markdown") and isinstance(value, str):
            joined = shown[kind] + "\n" + value
            if len(joined) > LIMIT:
                notes.append("%s output left out: together more than %d bytes" % (kind, LIMIT))
            else:
                shown[kind] = joined
        else:
            shown[kind] = value

    def put_png(data):
        import base64

        # One picture fits into an answer: the last one.
        if len(data) > LIMIT:
            notes.append("png output left out: %d bytes, at most %d are kept" % (len(data), LIMIT))
        else:
            shown["png"] = base64.b64encode(data).decode("ascii")

    def put_json(value):
        import json

        def plain(other):
            tolist = getattr(other, "tolist", None)
            return tolist() if callable(tolist) else str(other)

        # Rounds through text: what cannot be JSON (NaN, odd keys, circles) is found here and not by the reader.
        try:
            text = json.dumps(value, default=plain, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            # Then its text form has to do.
            return
        if len(text) > LIMIT:
            notes.append("json output left out: %d bytes, at most %d are kept" % (len(text), LIMIT))
        else:
            shown["json"] = json.loads(text)

    def represent(value, method):
        """What _repr_x_() gives; several libraries answer (data, metadata)."""
        try:
            data = getattr(value, method)()
        except Exception:
            return None
        return data[0] if isinstance(data, tuple) and data else data

    def save_figure(figure):
        import io

        drawn.append(id(figure))
        target = io.BytesIO()
        figure.savefig(target, format="png", bbox_inches="tight")
        put_png(target.getvalue())

    def is_from(value, module, *names):
        return any(
            base.__name__ in names and (base.__module__ or "").split(".")[0] == module for base in type(value).__mro__
        )

    def show_frame(value):
        shown_html = represent(value, "_repr_html_")
        if isinstance(shown_html, str):
            put("html", shown_html)
        if len(value) <= 10000:
            import json

            text = value.to_json(orient="records", date_format="iso", default_handler=str)
            if len(text) <= LIMIT:
                shown["dataframe"] = json.loads(text)

    def show_plotly(value):
        import json

        text = value.to_json()
        if len(text) > LIMIT:
            notes.append("json output left out: %d bytes, at most %d are kept" % (len(text), LIMIT))
        else:
            shown["json"] = json.loads(text)
        put("html", value.to_html(full_html=False, include_plotlyjs="cdn"))

    def show(value):
        """Puts every form in which a value can show itself; False when it has none but its text."""
        if isinstance(value, type):
            return False
        if is_from(value, "matplotlib", "Figure"):
            save_figure(value)
            return True
        if is_from(value, "plotly", "BaseFigure"):
            show_plotly(value)
            return True
        if is_from(value, "pandas", "DataFrame"):
            show_frame(value)
            return True
        if isinstance(value, (dict, list)):
            put_json(value)
            return True
        found = False
        for method, kind in (
            ("_repr_html_", "html"),
            ("_repr_svg_", "svg"),
            ("_repr_markdown_", "markdown"),
            ("_repr_png_", "png"),
            ("_repr_json_", "json"),
        ):
            if not hasattr(type(value), method):
                continue
            data = represent(value, method)
            if data is None:
                continue
            found = True
            if kind == "png" and isinstance(data, bytes):
                put_png(data)
            elif kind == "png" and isinstance(data, str):
                put(kind, data)
            elif kind == "json":
                put_json(data)
            elif isinstance(data, str):
                put(kind, data)
        return found

    def attempt(action, *arguments):
        """Showing must never fail a program that ran well."""
        try:
            return action(*arguments)
        except Exception as error:
            notes.append("output left out: %s: %s" % (type(error).__name__, error))
            return False

    def display(*values, **_options):
        """As in a notebook: shows values in the answer beside the last expression."""
        for value in values:
            if not attempt(show, value):
                print(repr(value))

    def collect_figures(pyplot):
        """Draws the open figures and closes them, as a notebook does."""
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            if id(figure) not in drawn:
                save_figure(figure)
        pyplot.close("all")

    def watch(pyplot):
        def plt_show(*_arguments, **_options):
            attempt(collect_figures, pyplot)

        pyplot.show = plt_show

    class PyplotWatch:
        """Takes part in one import, that of pyplot: a figure may be shown and closed long before the end."""

        @staticmethod
        def find_spec(wanted, _path=None, _target=None):
            if wanted != "matplotlib.pyplot":
                return None
            sys.meta_path.remove(PyplotWatch)
            from importlib.util import find_spec

            spec = find_spec(wanted)
            if spec is None or spec.loader is None:
                return spec
            execute = spec.loader.exec_module

            def exec_module(loaded):
                execute(loaded)
                watch(loaded)

            spec.loader.exec_module = exec_module
            return spec

    def report():
        if os.getpid() != owner:
            return
        if "matplotlib.pyplot" in sys.modules:
            attempt(collect_figures, sys.modules["matplotlib.pyplot"])
        if len(drawn) > 1:
            notes.append("%d figures were shown; png holds the last" % len(drawn))
        if notes:
            shown["notes"] = notes
        if not shown:
            return
        import json

        try:
            with open(REPORT_FD, "wb", closefd=False) as target:
                target.write(json.dumps(shown).encode("utf-8", "replace"))
        except (OSError, ValueError):
            # Nobody reads any more, or the program closed the descriptor.
            return

    # Only this process reports: children of the program would hold the pipe open.
    os.set_inheritable(REPORT_FD, False)
    with open(CODE_FD, "rb") as stream:
        source = stream.read()

    name = os.path.join(os.getcwd(), "<code>.py")

    class Loader:
        """linecache asks here for the lines that tracebacks show."""

        @staticmethod
        def get_source(_module=None):
            return source.decode("utf-8", "replace")

    def show_error(kind, value, trace):
        import traceback

        while trace is not None and trace.tb_frame.f_code.co_filename == own_file:
            trace = trace.tb_next
        traceback.print_exception(kind, value, trace)

    def split(tree):
        """The last statement's expression apart, when it is one."""
        import _ast

        if not tree.body or not isinstance(tree.body[-1], _ast.Expr):
            return None
        return _ast.Expression(tree.body.pop().value)

    def run(space):
        # 0x400: ast.PyCF_ONLY_AST, without the import.
        tree = compile(source, name, "exec", 0x400, dont_inherit=True)
        flags = 0
        for statement in tree.body:
            if type(statement).__name__ == "ImportFrom" and statement.module == "__future__":
                import __future__

                for alias in statement.names:
                    flags |= getattr(getattr(__future__, alias.name, None), "compiler_flag", 0)
        last = split(tree)
        exec(compile(tree, name, "exec", flags, dont_inherit=True), space)
        if last is None:
            return
        value = eval(compile(last, name, "eval", flags, dont_inherit=True), space)
        if value is None:
            return
        rich = attempt(show, value)
        put_text(value, rich)

    def put_text(value, rich):
        # pyplot's answers ([<Line2D>], Text(...)) say nothing; its figure does.
        kind = type(value[0] if isinstance(value, (list, tuple)) and value else value)
        if (kind.__module__ or "").split(".")[0] == "matplotlib":
            if "matplotlib.pyplot" in sys.modules or rich:
                shown.pop("json", None)
                return
        attempt(lambda: put("result", repr(value)))

    # A module of its own: the program sees and breaks nothing of this one.
    module = type(sys)("__main__")
    module.__loader__ = Loader
    module.__file__ = name
    module.__builtins__ = builtins
    sys.modules["__main__"] = module
    space = module.__dict__
    if "matplotlib.pyplot" in sys.modules:
        watch(sys.modules["matplotlib.pyplot"])
    else:
        sys.meta_path.insert(0, PyplotWatch)
    builtins.display = display
    sys.argv[:] = [name]
    # As with a script: modules are found beside the program, and not beside this file.
    sys.path[0] = os.getcwd()
    sys.excepthook = show_error

    try:
        run(space)
    finally:
        report()


_main()
