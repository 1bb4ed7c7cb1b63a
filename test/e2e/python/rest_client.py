"""Pause, resume, stop and start through the published client, synchronous and asynchronous. Exits with an AssertionError at the first broken promise."""

import asyncio
import os
import urllib.request

from hopx_ai import AsyncSandbox, Sandbox
from hopx_ai.errors import HopxError

URL = os.environ["BULKHEAD_URL"]
KEY = os.environ["HOPX_API_KEY"]


def equal(actual, expected, what):
    assert actual == expected, f"{what}: expected {expected!r}, got {actual!r}"
    print("ok", what)


def post(sandbox_id, verb):
    """What the clients have no method for."""
    url = f"{URL}/v1/sandboxes/{sandbox_id}/{verb}"
    request = urllib.request.Request(url, method="POST", headers={"X-API-Key": KEY})
    with urllib.request.urlopen(request) as response:
        return response.status


def sync_story():
    sandbox = Sandbox.create(template="base", base_url=URL, env_vars={"A": "1"})
    sandbox.pause()
    equal(sandbox.get_info().status, "paused", "paused")
    sandbox.pause()
    ids = [one.sandbox_id for one in Sandbox.iter(status="paused", base_url=URL)]
    equal(ids, [sandbox.sandbox_id], "the paused ones")
    again = Sandbox.connect(sandbox.sandbox_id, base_url=URL)
    equal(again.get_info().status, "running", "connect resumes")
    again.resume()
    equal(again.commands.run("echo $A > /workspace/f; cat /workspace/f").stdout, "1\n", "after the resume")
    sandbox.set_timeout(600)
    equal(post(sandbox.sandbox_id, "stop"), 200, "stopped")
    try:
        Sandbox.connect(sandbox.sandbox_id, base_url=URL)
        raise AssertionError("connect took a stopped sandbox")
    except HopxError as error:
        assert "stopped" in str(error), error
    equal(post(sandbox.sandbox_id, "start"), 200, "started")
    equal(sandbox.commands.run("cat /workspace/f; echo $A").stdout, "1\n1\n", "files, environment and the first token")
    sandbox.kill()


async def async_story():
    async with await AsyncSandbox.create(template="base", base_url=URL) as sandbox:
        await sandbox.pause()
        equal((await sandbox.get_info()).status, "paused", "paused (async)")
        # This one connects to whatever there is.
        again = await AsyncSandbox.connect(sandbox.sandbox_id, base_url=URL)
        await again.resume()
        equal((await sandbox.get_info()).status, "running", "running (async)")
        equal((await again.commands.run("echo awake")).stdout, "awake\n", "after the resume (async)")


sync_story()
asyncio.run(async_story())
print("all promises kept")
