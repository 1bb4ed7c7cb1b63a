"""Calls every public method of the published Python clients, sync and async, and prints how each came out as JSON."""

import asyncio
import inspect
import json
import os
import re
import sys

import hopx_ai
from hopx_ai import AsyncSandbox, Sandbox
from hopx_ai._async_cache import AsyncCache
from hopx_ai._async_commands import AsyncCommands
from hopx_ai._async_env_vars import AsyncEnvironmentVariables
from hopx_ai._async_files import AsyncFiles
from hopx_ai._async_terminal import AsyncTerminal
from hopx_ai.cache import Cache
from hopx_ai.commands import Commands
from hopx_ai.desktop import Desktop
from hopx_ai.env_vars import EnvironmentVariables
from hopx_ai.files import Files
from hopx_ai.terminal import Terminal

URL = os.environ["BULKHEAD_URL"]
REASONS = json.loads(os.environ["BULKHEAD_REASONS"])
PARTS = {
    Sandbox: [(Files, "files"), (Commands, "commands"), (EnvironmentVariables, "env"), (Cache, "cache"), (Terminal, "terminal"), (Desktop, "desktop")],
    AsyncSandbox: [
        (AsyncFiles, "files"),
        (AsyncCommands, "commands"),
        (AsyncEnvironmentVariables, "env"),
        (AsyncCache, "cache"),
        (AsyncTerminal, "terminal"),
    ],
}


async def call(target, *arguments, **options):
    value = target(*arguments, **options) if callable(target) else target
    return await value if inspect.isawaitable(value) else value


async def items(source, wanted):
    """The first item that is wanted, of an iterator of either kind."""
    source = await source if inspect.iscoroutine(source) else source
    if hasattr(source, "__aiter__"):
        async for item in source:
            if wanted(item):
                return item
    else:
        for item in source:
            if wanted(item):
                return item
    raise AssertionError("ended without it")


def equal(actual, expected):
    assert actual == expected, "%r is not %r" % (actual, expected)


def data_of(message):
    if isinstance(message, dict):
        return str(message.get("data", ""))
    return str(getattr(message, "data", ""))


class Checks:
    def __init__(self, kind, sandbox):
        self.kind = kind
        self.sandbox = sandbox

    async def create(self):
        other = await call(self.kind.create, "base", base_url=URL)
        await call(other.kill)

    async def connect(self):
        again = await call(self.kind.connect, self.sandbox.sandbox_id, base_url=URL)
        equal((await call(again.get_info)).status, "running")

    async def debug(self):
        info = await call(self.sandbox.get_info)
        direct = await call(self.kind.debug, info.public_host, await call(self.sandbox.get_token))
        equal((await call(direct.commands.run, "echo hi")).stdout, "hi\n")

    async def list(self):
        assert self.sandbox.sandbox_id in [one.sandbox_id for one in await call(self.kind.list, base_url=URL)]

    async def iter(self):
        await items(self.kind.iter(base_url=URL), lambda one: one.sandbox_id == self.sandbox.sandbox_id)

    async def list_templates(self):
        assert "base" in [one.name for one in await call(self.kind.list_templates, base_url=URL)]

    async def get_template(self):
        equal((await call(self.kind.get_template, "base", base_url=URL)).name, "base")

    async def delete_template(self):
        try:
            await call(self.kind.delete_template, "base", base_url=URL)
        except Exception as error:
            assert "403" in str(error) or "FORBIDDEN" in str(error) or "orbidden" in str(error) or "built-in" in str(error), str(error)
            return
        raise AssertionError("a template of the platform was deleted")

    async def health_check(self):
        await call(self.kind.health_check, base_url=URL)

    async def get_info(self):
        equal((await call(self.sandbox.get_info)).sandbox_id, self.sandbox.sandbox_id)

    async def get_preview_url(self):
        return await self.refused(lambda: call(self.sandbox.get_preview_url, 8080), REASONS["preview"], "")

    async def agent_url(self):
        return await self.refused(lambda: call(lambda: self.sandbox.agent_url), REASONS["preview"], "")

    async def refused(self, work, reason, pattern):
        try:
            await work()
        except Exception as error:
            text = "%s %s" % (type(error).__name__, error)
            assert re.search(pattern, text), text
            return reason
        raise AssertionError("was not refused")

    async def kill(self):
        await call(self.sandbox.kill)

    async def pause(self):
        await call(self.sandbox.pause)
        equal((await call(self.sandbox.get_info)).status, "paused")
        await call(self.sandbox.resume)

    async def resume(self):
        await call(self.sandbox.pause)
        await call(self.sandbox.resume)
        equal((await call(self.sandbox.commands.run, "echo on")).stdout, "on\n")

    async def set_timeout(self):
        await call(self.sandbox.set_timeout, 900)

    async def get_time_to_expiry(self):
        assert await call(self.sandbox.get_time_to_expiry) > 0

    async def is_expiring_soon(self):
        equal(await call(self.sandbox.is_expiring_soon), False)

    async def get_expiry_info(self):
        await call(self.sandbox.get_expiry_info)

    async def refresh_token(self):
        before = await call(self.sandbox.get_token)
        await call(self.sandbox.refresh_token)
        assert await call(self.sandbox.get_token) != before

    async def get_token(self):
        assert (await call(self.sandbox.get_token)).startswith("ey")

    async def run_code(self):
        equal((await call(self.sandbox.run_code, "print(6 * 7)")).stdout, "42\n")

    async def run_code_async(self):
        queued = await call(self.sandbox.run_code_async, "print(1)", callback_url="https://example.com/hook")
        assert (queued if isinstance(queued, str) else queued["execution_id"]), queued

    async def background(self):
        return (await call(self.sandbox.run_code_background, "import time; time.sleep(60)"))["process_id"]

    async def run_code_background(self):
        await call(self.sandbox.kill_process, await self.background())

    async def kill_process(self):
        await call(self.sandbox.kill_process, await self.background())

    async def list_processes(self):
        process = await self.background()
        listed = await call(self.sandbox.list_processes)
        assert listed, listed
        await call(self.sandbox.kill_process, process)

    async def list_system_processes(self):
        process = await self.background()
        assert await call(self.sandbox.list_system_processes)
        await call(self.sandbox.kill_process, process)

    async def get_jupyter_sessions(self):
        equal(await call(self.sandbox.get_jupyter_sessions), [])

    async def get_metrics_snapshot(self):
        assert "system" in await call(self.sandbox.get_metrics_snapshot)

    async def get_agent_metrics(self):
        assert "total_requests" in await call(self.sandbox.get_agent_metrics)

    async def get_agent_info(self):
        assert await call(self.sandbox.get_agent_info)

    async def is_healthy(self):
        equal(await call(self.sandbox.is_healthy), True)

    async def ensure_healthy(self):
        await call(self.sandbox.ensure_healthy)

    async def run_code_stream(self):
        await items(self.sandbox.run_code_stream("print(40 + 2)"), lambda message: "42" in data_of(message))

    # Parts, by `part.method`.
    async def files_write(self):
        await call(self.sandbox.files.write, "/workspace/c.txt", "text")

    async def files_read(self):
        await self.files_write()
        equal(await call(self.sandbox.files.read, "/workspace/c.txt"), "text")

    async def files_write_bytes(self):
        await call(self.sandbox.files.write_bytes, "/workspace/b.bin", bytes([0, 255]))

    async def files_read_bytes(self):
        await self.files_write_bytes()
        equal(await call(self.sandbox.files.read_bytes, "/workspace/b.bin"), bytes([0, 255]))

    async def files_list(self):
        await call(self.sandbox.files.list, "/workspace")

    async def files_exists(self):
        equal(await call(self.sandbox.files.exists, "/workspace/none"), False)

    async def files_mkdir(self):
        await call(self.sandbox.files.mkdir, "/workspace/made")

    async def files_remove(self):
        await self.files_write()
        await call(self.sandbox.files.remove, "/workspace/c.txt")

    async def files_upload(self):
        await call(self.sandbox.files.upload, __file__, "/workspace/uploaded.py")

    async def files_download(self):
        await self.files_write()
        await call(self.sandbox.files.download, "/workspace/c.txt", "/tmp/bulkhead-conformance.txt")

    async def files_watch(self):
        async def write():
            for number in range(100):
                await asyncio.sleep(0.1)
                await call(self.sandbox.files.write, "/workspace/w%d" % number, "x")

        writing = asyncio.create_task(write())
        try:
            await asyncio.wait_for(items(self.sandbox.files.watch("/workspace"), lambda _: True), 20)
        finally:
            writing.cancel()

    async def commands_run(self):
        equal((await call(self.sandbox.commands.run, "echo hi")).stdout, "hi\n")
        await call(self.sandbox.commands.run, "sleep 1", background=True)

    async def env_set(self):
        await call(self.sandbox.env.set, "A", "1")

    async def env_get(self):
        await self.env_set()
        equal(await call(self.sandbox.env.get, "A"), "1")

    async def env_get_all(self):
        await self.env_set()
        assert "A" in await call(self.sandbox.env.get_all)

    async def env_set_all(self):
        await call(self.sandbox.env.set_all, {"A": "1", "B": "2"})

    async def env_update(self):
        await call(self.sandbox.env.update, {"D": "4"})

    async def env_delete(self):
        await self.env_set()
        await call(self.sandbox.env.delete, "A")
        assert "A" not in await call(self.sandbox.env.get_all)

    async def cache_stats(self):
        assert await call(self.sandbox.cache.stats)

    async def cache_clear(self):
        await call(self.sandbox.cache.clear)

    async def terminal(self, resize=False):
        terminal = self.sandbox.terminal
        opened = terminal.connect()
        async with (await opened if inspect.iscoroutine(opened) else opened) as socket:
            if resize:
                await call(terminal.resize, socket, 101, 41)
            await call(terminal.send_input, socket, "sleep 0.3; stty size; echo $((40 + 2))\n")
            seen = ""
            async for message in terminal.iter_output(socket):
                seen += data_of(message)
                if "41 101" in seen if resize else "\r\n42" in seen:
                    return
        raise AssertionError(seen)

    terminal_connect = terminal_send_input = terminal_iter_output = terminal

    async def terminal_resize(self):
        await self.terminal(resize=True)


async def outcome(work):
    try:
        return await asyncio.wait_for(work, 60)
    except Exception as error:
        return "FAILED: %s: %s" % (type(error).__name__, str(error).split("\n")[0][:160])


async def of_kind(kind):
    sandbox = await call(kind.create, "base", base_url=URL)
    checks = Checks(kind, sandbox)
    parts = {attribute for _, attribute in PARTS[kind]}
    rows = {}
    names = [name for name, _ in inspect.getmembers(kind) if not name.startswith("_")]
    for part, attribute in PARTS[kind]:
        for name, _ in inspect.getmembers(part):
            if name.startswith("_"):
                continue
            label = "%s.%s.%s" % (kind.__name__, attribute, name)
            if attribute == "desktop":
                method = getattr(sandbox.desktop, name)
                count = len([p for p in inspect.signature(method).parameters.values() if p.default is p.empty])
                work = checks.refused(lambda: call(method, *[1] * count), REASONS["desktop"], "Desktop|desktop")
            else:
                check = getattr(checks, "%s_%s" % (attribute, name), None)
                if check is None:
                    rows[label] = "FAILED: no check"
                    continue
                work = check()
            rows[label] = await outcome(work)
    for name in sorted(names, key=lambda one: one == "kill"):
        label = "%s.%s" % (kind.__name__, name)
        if name in parts:
            rows[label] = REASONS["local"]
            continue
        check = getattr(checks, name, None)
        rows[label] = "FAILED: no check" if check is None else await outcome(check())
    return rows


async def of_templates():
    """The builder describes a template in the client; only `build` and `get_logs` send anything."""
    from hopx_ai.template import BuildOptions, Template, get_logs

    async def build():
        options = BuildOptions(name="conformance", api_key=os.environ["HOPX_API_KEY"], base_url=URL, cpu=1, memory=512, disk_gb=1)
        await Template.build(Template().from_python_image("3.12").run_cmd("true"), options)

    async def logs():
        await get_logs("conformance", os.environ["HOPX_API_KEY"], base_url=URL)

    rows = {"Template.%s" % name: REASONS["local"] for name, _ in inspect.getmembers(Template) if not name.startswith("_")}
    names = [name for name in dir(hopx_ai) if name[0].islower() and not name.startswith("_")]
    functions = [name for name in names if inspect.isfunction(getattr(hopx_ai, name))]
    rows.update({"hopx_ai.%s" % name: REASONS["local"] for name in functions})
    check = Checks(None, None)
    rows["Template.build"] = await outcome(check.refused(build, REASONS["build"], "not supported yet|409"))
    rows["hopx_ai.template.get_logs"] = await outcome(check.refused(logs, REASONS["build"], "not supported yet|409"))
    return rows


async def main():
    rows = {**await of_kind(Sandbox), **await of_kind(AsyncSandbox), **await of_templates()}
    json.dump(rows, sys.stdout)


asyncio.run(main())
