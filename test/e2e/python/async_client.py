"""The story of a sandbox through the published asynchronous client. Exits with an AssertionError at the first broken promise."""

import asyncio
import os

from hopx_ai import AsyncSandbox
from hopx_ai.errors import APIError

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


async def files(sandbox):
    await sandbox.files.write("/workspace/deep/note.txt", "héllo\n")
    equal(await sandbox.files.read("/workspace/deep/note.txt"), "héllo\n", "text file")
    blob = bytes(range(256)) * 4096
    await sandbox.files.write_bytes("/workspace/blob.bin", blob)
    equal(await sandbox.files.read_bytes("/workspace/blob.bin"), blob, "binary file")
    names = {entry.name for entry in await sandbox.files.list("/workspace")}
    assert {"deep", "blob.bin"} <= names, names
    await sandbox.files.remove("/workspace/deep")
    equal(await sandbox.files.exists("/workspace/deep/note.txt"), False, "removed file")


async def code(sandbox):
    for language, program in PROGRAMS.items():
        result = await sandbox.run_code(program, language=language, timeout_seconds=60)
        equal((result.success, result.stdout.strip()), (True, "42"), language)


async def environment(sandbox, other):
    secret = "import os; print(os.environ.get('API_SECRET'))"
    equal((await sandbox.run_code(secret)).stdout.strip(), "s3cret-value", "secret in its own sandbox")
    equal((await other.run_code(secret)).stdout.strip(), "None", "secret in another sandbox")
    equal((await sandbox.commands.run("echo $API_SECRET")).stdout.strip(), "s3cret-value", "secret in a command")
    await sandbox.env.set("ADDED", "later")
    equal((await sandbox.env.get_all()).get("ADDED"), "later", "variable set")
    await sandbox.files.write("/workspace/mine.txt", "private")
    equal(await other.files.exists("/workspace/mine.txt"), False, "file of another sandbox")


async def lifecycle(sandbox):
    equal((await sandbox.get_info()).status, "running", "status")
    ids = {found.sandbox_id for found in await AsyncSandbox.list(base_url=URL)}
    assert sandbox.sandbox_id in ids, ids
    iterated = {found.sandbox_id async for found in AsyncSandbox.iter(base_url=URL)}
    equal(iterated, ids, "list and iter")
    await sandbox.set_timeout(600)
    left = await sandbox.get_time_to_expiry()
    assert left is not None and 500 < left <= 600, left
    before = await sandbox.get_token()
    await sandbox.refresh_token()
    assert await sandbox.get_token() != before, "token did not change"


async def end(sandbox):
    await sandbox.kill()
    try:
        await sandbox.get_info()
        raise AssertionError("an ended sandbox still answers")
    except APIError as error:
        equal((error.status_code, error.code), (410, "SANDBOX_EXPIRED"), "410 after the end")


async def main():
    sandbox = await AsyncSandbox.create("base", env_vars={"API_SECRET": "s3cret-value"}, base_url=URL)
    other = await AsyncSandbox.create("base", base_url=URL)
    try:
        await files(sandbox)
        await code(sandbox)
        await environment(sandbox, other)
        await lifecycle(sandbox)
    finally:
        await other.kill()
    await end(sandbox)
    print("all promises kept")


asyncio.run(main())
