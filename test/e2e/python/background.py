"""Background work, callbacks, environment and figures through both published clients. Exits with an AssertionError at the first broken promise."""

import asyncio
import os
import time

from hopx_ai import AsyncSandbox, Sandbox
from hopx_ai.errors import HopxError

URL = os.environ["BULKHEAD_URL"]
HOOK = os.environ["HOOK_URL"]
SECRET = os.environ["HOOK_SECRET"]

ENDLESS = "import time\nprint('begun')\ntime.sleep(600)"


def equal(actual, expected, what):
    assert actual == expected, f"{what}: expected {expected!r}, got {actual!r}"
    print("ok", what)


def until(what, check, seconds=20):
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        found = check()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no {what} within {seconds} s")


def background(sandbox):
    started = sandbox.run_code_background(ENDLESS, name="training", env={"GPU": "1"})
    process_id = started["process_id"]
    one = next(p for p in sandbox.list_processes() if p["process_id"] == process_id)
    equal((one["name"], one["status"], one["language"]), ("training", "running", "python"), "running process")
    equal(sandbox.kill_process(process_id)["success"], True, "killed")
    equal(sandbox.kill_process(process_id)["success"], True, "killed again")
    equal({p["process_id"]: p["status"] for p in sandbox.list_processes()}[process_id], "killed", "status of the killed")
    try:
        sandbox.kill_process("proc_none")
        raise AssertionError("a process that does not exist was killed")
    except HopxError as error:
        equal(error.code, "PROCESS_NOT_FOUND", "unknown process")
    unnamed = sandbox.run_code_background("print(1)")
    assert all(isinstance(p["name"], str) and p["name"] for p in sandbox.list_processes())
    done = lambda: {p["process_id"]: p["status"] for p in sandbox.list_processes()}[unnamed["process_id"]] == "completed"
    until("end of the short one", done)
    said = sandbox.commands.run("sleep 600", background=True)
    assert said.stdout.startswith("Background process started: proc_"), said.stdout
    sandbox.kill_process(said.stdout.split(": ")[1])


def callback(sandbox):
    queued = sandbox.run_code_async(
        "print('from sync')",
        callback_url=HOOK,
        callback_headers={"X-From": "sync"},
        callback_signature_secret=SECRET,
    )
    equal(queued["status"], "queued", "queued")
    print("execution", queued["execution_id"])


def environment(sandbox):
    sandbox.env.set_all({"A": "1", "API_SECRET": "plain"})
    equal(sandbox.env.update({"B": "2"}), {"A": "1", "API_SECRET": "plain", "B": "2"}, "updated")
    sandbox.env.delete("A")
    equal(sandbox.env.get_all(), {"API_SECRET": "plain", "B": "2"}, "deleted, the rest as it was")
    for size in (150_000, 1_000_000):
        try:
            sandbox.env.set("HUGE", "x" * size)
            raise AssertionError("a huge value was taken")
        except HopxError as error:
            equal(error.code, "INVALID_REQUEST", f"value of {size} bytes")
    equal(sandbox.env.get_all(), {"API_SECRET": "plain", "B": "2"}, "nothing changed")
    equal(sandbox.commands.run("echo $B").stdout, "2\n", "still runs")


def figures(sandbox):
    snapshot = sandbox.get_metrics_snapshot()
    assert 0 <= snapshot["system"]["cpu"]["usage_percent"] <= 100, snapshot["system"]
    assert snapshot["system"]["memory"]["usage_percent"] > 0, snapshot["system"]
    assert snapshot["process"]["count"] >= 0 and snapshot["requests_total"]["POST /execute/background"] >= 2
    assert sandbox.get_agent_metrics()["uptime_seconds"] > 0
    stats = sandbox.cache.stats()
    equal(set(stats["cache"]), {"size", "max_size", "total_hits", "ttl"}, "cache figures")
    equal(sandbox.cache.clear()["success"], True, "cache cleared")


async def async_client(sandbox):
    started = await sandbox.run_code_background(ENDLESS, name="async")
    pids = {str(p["pid"]): p for p in await sandbox.list_processes()}
    assert str(started["pid"]) in pids, (started, pids)
    equal((await sandbox.kill_process(str(started["pid"])))["success"], True, "killed by pid")
    equal((await sandbox.kill_process(started["process_id"]))["success"], True, "killed by id, again")
    assert str(started["pid"]) not in {str(p["pid"]) for p in await sandbox.list_processes()}
    queued = await sandbox.run_code_async(
        "print('from async')", callback_url=HOOK, callback_signature_secret=SECRET
    )
    print("execution", queued["execution_id"])
    await sandbox.env.update({"C": "3"})
    equal((await sandbox.env.get_all())["C"], "3", "async environment")
    await sandbox.env.delete("C")
    equal("C" in await sandbox.env.get_all(), False, "async delete")
    assert (await sandbox.get_metrics_snapshot())["total_requests"] > 0
    equal((await sandbox.cache.stats())["hit_rate"], 0, "async cache")
    await sandbox.cache.clear()


async def main():
    sandbox = Sandbox.create(template="base", base_url=URL)
    background(sandbox)
    callback(sandbox)
    environment(sandbox)
    figures(sandbox)
    again = await AsyncSandbox.connect(sandbox.sandbox_id, base_url=URL)
    await async_client(again)
    print("all promises kept")


asyncio.run(main())
