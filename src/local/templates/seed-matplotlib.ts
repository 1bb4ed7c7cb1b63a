/**
 * sitecustomize.py of the template. matplotlib wants a directory that it can write to, and takes a second to find all fonts when
 * its list is not there; the template's is read-only. So the first import of matplotlib in a sandbox copies the list.
 */
export const seedMatplotlib = `import sys


class _FontList:
    @staticmethod
    def find_spec(name, _path=None, _target=None):
        if name != "matplotlib":
            return None
        sys.meta_path.remove(_FontList)
        try:
            _copy()
        except OSError:
            # Then matplotlib finds the fonts itself.
            pass
        return None


def _copy():
    import os

    target = os.environ.get("MPLCONFIGDIR")
    if not target or os.path.exists(target):
        return
    source = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "matplotlib")
    os.makedirs(target)
    for name in os.listdir(source):
        if not name.endswith(".json"):
            continue
        part = os.path.join(target, ".%s.%d" % (name, os.getpid()))
        with open(os.path.join(source, name), "rb") as old, open(part, "wb") as new:
            new.write(old.read())
        os.replace(part, os.path.join(target, name))


sys.meta_path.insert(0, _FontList)
`;
