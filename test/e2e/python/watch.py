"""Watches through the published Python client, sync and async. Prints OK."""

import asyncio
import os

from hopx_ai import AsyncSandbox, Sandbox

connection = {"api_key": os.environ["API_KEY"], "base_url": os.environ["BASE_URL"]}
sandbox_id = os.environ["SANDBOX_ID"]
path = "/workspace/python.txt"


async def see(name, files, write):
    """Writes until the watch tells of it: the client does not say from when on it watches."""

    async def keep_writing():
        turn = 0
        while True:
            turn += 1
            await write(str(turn))
            await asyncio.sleep(0.05)

    writer = asyncio.create_task(keep_writing())
    try:
        async for event in files.watch("/workspace"):
            assert event["type"] == "change", f"{name}: {event}"
            if event["path"] == path and event["event"] in ("created", "modified"):
                return
    finally:
        writer.cancel()
    raise AssertionError(f"{name}: the watch ended")


async def with_async_client():
    sandbox = await AsyncSandbox.connect(sandbox_id, **connection)
    await see("async", sandbox.files, lambda text: sandbox.files.write(path, text))


async def with_sync_client():
    sandbox = Sandbox.connect(sandbox_id, **connection)
    await see("sync", sandbox.files, lambda text: asyncio.to_thread(sandbox.files.write, path, text))


asyncio.run(asyncio.wait_for(with_sync_client(), 60))
asyncio.run(asyncio.wait_for(with_async_client(), 60))
print("OK")
