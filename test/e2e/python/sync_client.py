"""The story of a sandbox through the published synchronous client. Exits with an AssertionError at the first broken promise."""

import os
import tempfile

from hopx_ai import Sandbox
from hopx_ai.errors import (
    APIError,
    FileNotFoundError as SandboxFileNotFoundError,
    FileOperationError,
    TemplateNotFoundError,
)

URL = os.environ["BULKHEAD_URL"]

PROGRAMS = {
    "python": "print(6 * 7)",
    "javascript": "console.log(6 * 7)",
    "typescript": "const n: number = 6 * 7; console.log(n)",
    "bash": "echo $((6 * 7))",
    "go": 'package main\nimport "fmt"\nfunc main() { fmt.Println(6 * 7) }',
}


def equal(actual, expected, what):
    assert actual == expected, f"{what}: expected {expected!r}, got {actual!r}"
    print("ok", what)


def files(sandbox):
    sandbox.files.write("/workspace/deep/note.txt", "héllo\n")
    equal(sandbox.files.read("/workspace/deep/note.txt"), "héllo\n", "text file")
    blob = bytes(range(256)) * 4096
    sandbox.files.write_bytes("/workspace/blob.bin", blob)
    equal(sandbox.files.read_bytes("/workspace/blob.bin"), blob, "binary file")
    names = {entry.name for entry in sandbox.files.list("/workspace")}
    assert {"deep", "blob.bin"} <= names, names
    with tempfile.TemporaryDirectory() as directory:
        local = os.path.join(directory, "up.bin")
        back = os.path.join(directory, "down.bin")
        with open(local, "wb") as out:
            out.write(blob)
        sandbox.files.upload(local, "/workspace/up.bin")
        sandbox.files.download("/workspace/up.bin", back)
        with open(back, "rb") as got:
            equal(got.read(), blob, "upload and download")
    sandbox.files.remove("/workspace/deep")
    equal(sandbox.files.exists("/workspace/deep/note.txt"), False, "removed file")
    try:
        sandbox.files.read("/workspace/none.txt")
        raise AssertionError("a missing file was read")
    except SandboxFileNotFoundError:
        print("ok missing file")
    try:
        sandbox.files.read("/etc/passwd")
        raise AssertionError("a file outside the roots was read")
    except FileOperationError:
        print("ok path outside the roots")


def code(sandbox):
    for language, program in PROGRAMS.items():
        result = sandbox.run_code(program, language=language, timeout=60)
        equal((result.success, result.stdout.strip()), (True, "42"), language)
    failed = sandbox.run_code("raise SystemExit(3)")
    equal((failed.success, failed.exit_code), (False, 3), "exit code")


def environment(sandbox, other):
    secret = "import os; print(os.environ.get('API_SECRET'))"
    equal(sandbox.run_code(secret).stdout.strip(), "s3cret-value", "secret in its own sandbox")
    equal(other.run_code(secret).stdout.strip(), "None", "secret in another sandbox")
    equal(sandbox.commands.run("echo $API_SECRET").stdout.strip(), "s3cret-value", "secret in a command")
    sandbox.env.set("ADDED", "later")
    equal(sandbox.env.get("ADDED"), "later", "variable set")
    sandbox.env.delete("ADDED")
    equal(sandbox.env.get("ADDED"), None, "variable deleted")
    sandbox.files.write("/workspace/mine.txt", "private")
    equal(other.files.exists("/workspace/mine.txt"), False, "file of another sandbox")


def lifecycle(sandbox):
    info = sandbox.get_info()
    equal(info.status, "running", "status")
    ids = {found.sandbox_id for found in Sandbox.list(base_url=URL)}
    assert sandbox.sandbox_id in ids, ids
    iterated = {found.sandbox_id for found in Sandbox.iter(base_url=URL)}
    equal(iterated, ids, "list and iter")
    sandbox.set_timeout(600)
    left = sandbox.get_time_to_expiry()
    assert left is not None and 500 < left <= 600, left
    before = sandbox.get_token()
    sandbox.refresh_token()
    assert sandbox.get_token() != before, "token did not change"
    again = Sandbox.connect(sandbox.sandbox_id, base_url=URL)
    equal(again.commands.run("echo back").stdout.strip(), "back", "connect")


def end(sandbox):
    sandbox.kill()
    try:
        sandbox.get_info()
        raise AssertionError("an ended sandbox still answers")
    except APIError as error:
        equal((error.status_code, error.code), (410, "SANDBOX_EXPIRED"), "410 after the end")
        equal(error.details.get("end_reason"), "killed", "end reason")


def unknown_template():
    try:
        Sandbox.create("bse", base_url=URL)
        raise AssertionError("a sandbox of an unknown template was made")
    except TemplateNotFoundError as error:
        equal(error.suggested_template, "base", "suggestion for a misspelt template")


def main():
    equal(Sandbox.health_check(base_url=URL).get("status"), "healthy", "health")
    assert "base" in {template.name for template in Sandbox.list_templates(base_url=URL)}
    unknown_template()
    sandbox = Sandbox.create("base", env_vars={"API_SECRET": "s3cret-value"}, base_url=URL)
    other = Sandbox.create("base", base_url=URL)
    try:
        files(sandbox)
        code(sandbox)
        environment(sandbox, other)
        lifecycle(sandbox)
    finally:
        other.kill()
    end(sandbox)
    print("all promises kept")


main()
