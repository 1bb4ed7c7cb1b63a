"""Terminals through the published Python client, sync and async. Prints OK."""

import asyncio
import os
import sys

from hopx_ai import AsyncSandbox, Sandbox

connection = {"api_key": os.environ["API_KEY"], "base_url": os.environ["BASE_URL"]}
sandbox_id = os.environ["SANDBOX_ID"]


async def drive(terminal):
    """Types into a shell and reads until it has ended; answers with its output and its exit code."""
    output = ""
    async with await terminal.connect() as ws:
        await terminal.resize(ws, cols=97, rows=23)
        await terminal.send_input(ws, "stty size; tty; echo héllo $((40 + 2)); exit 7\n")
        async for message in terminal.iter_output(ws):
            if message["type"] == "output":
                output += message["data"]
            if message["type"] == "exit":
                return output, message["code"]
    raise AssertionError(f"no exit frame after {output!r}")


def check(name, outcome):
    output, code = outcome
    for wanted in ("23 97\r\n", "/dev/pts/", "héllo 42\r\n"):
        assert wanted in output, f"{name}: {wanted!r} is not in {output!r}"
    assert code == 7, f"{name}: exit code {code}"


async def with_async_client():
    sandbox = await AsyncSandbox.connect(sandbox_id, **connection)
    check("async", await drive(sandbox.terminal))


async def with_sync_client():
    sandbox = Sandbox.connect(sandbox_id, **connection)
    check("sync", await drive(sandbox.terminal))


asyncio.run(asyncio.wait_for(with_sync_client(), 60))
asyncio.run(asyncio.wait_for(with_async_client(), 60))
print("OK")
sys.stdout.flush()
