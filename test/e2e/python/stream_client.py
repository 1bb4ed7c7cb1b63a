"""Streams of code through both published Python clients. Exits with an AssertionError at the first broken promise."""

import asyncio
import os
import time

from hopx_ai import AsyncSandbox, Sandbox

URL = os.environ["BULKHEAD_URL"]
LINES = 10_000


async def take(messages):
    return [message async for message in messages]


def text(messages, kind="stdout"):
    return "".join(message["data"] for message in messages if message["type"] == kind)


async def keeps_its_promises(sandbox, form):
    started = time.perf_counter()
    messages = await take(sandbox.run_code_stream(f"for i in range({LINES}): print(i, flush=True)"))
    seconds = time.perf_counter() - started
    assert text(messages) == "".join(f"{i}\n" for i in range(LINES)), f"{form}: lines lost or out of order"
    assert [message["type"] for message in messages[-2:]] == ["result", "complete"], messages[-2:]
    assert messages[-2]["exit_code"] == 0 and messages[-1]["success"] is True, messages[-2:]
    print(f"{form}: {len(messages) / seconds:.0f} frames/s")

    failed = await take(
        sandbox.run_code_stream(
            "import os, sys; print(os.getcwd(), os.environ['A'], file=sys.stderr); sys.exit(3)",
            working_dir="/tmp",
            env={"A": "b"},
        )
    )
    assert text(failed, "stderr") == "/tmp b\n", failed
    assert failed[-2]["exit_code"] == 3 and failed[-1]["success"] is False, failed

    refused = await take(sandbox.run_code_stream("x", language="cobol"))
    assert [message["type"] for message in refused] == ["error", "complete"], refused
    assert refused[0]["code"] == "UNSUPPORTED_LANGUAGE", refused


async def main():
    sandbox = Sandbox.create(template="base", base_url=URL)
    try:
        await keeps_its_promises(sandbox, "sync")
    finally:
        sandbox.kill()
    sandbox = await AsyncSandbox.create(template="base", base_url=URL)
    try:
        await keeps_its_promises(sandbox, "async")
    finally:
        await sandbox.kill()
    print("all promises kept")


asyncio.run(main())
