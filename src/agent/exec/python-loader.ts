/**
 * Runs the program on descriptor 3 as `__main__`. No file is left behind, imports start at the working directory,
 * and tracebacks show the program's own lines: linecache asks `__loader__` for them.
 */
export const pythonLoader = `
import sys
def _run():
    import os
    name = os.path.join(os.getcwd(), "<code>.py")
    with open(3, encoding="utf-8", errors="surrogateescape") as file:
        source = file.read()
    class Loader:
        @staticmethod
        def get_source(module=None):
            return source
    def show(kind, value, trace):
        import traceback
        while trace is not None and trace.tb_frame.f_code.co_filename == "<string>":
            trace = trace.tb_next
        traceback.print_exception(kind, value, trace)
    sys.excepthook = show
    sys.argv[:] = [name]
    space = sys.modules["__main__"].__dict__
    for key in ("_run", "sys"):
        del space[key]
    space["__loader__"] = Loader
    exec(compile(source, name, "exec", dont_inherit=True), space)
_run()
`;
