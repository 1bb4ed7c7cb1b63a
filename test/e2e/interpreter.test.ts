import { Sandbox } from "@hopx-ai/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { ipythonResponseSchema, jupyterSessionsSchema } from "#contracts/agent/ipython.ts";
import { control } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { until } from "./support/until.ts";

const prepareMs = 220_000;
let platform: RunningPlatform;
let sandbox: Sandbox;
let base: string;
let token: string;

beforeAll(async () => {
  platform = await startPlatform({ flags: ["--pool", "base=0,code-interpreter=1"] });
  await until(
    "prepared code-interpreter",
    async () => {
      const { body } = await control(platform, "GET", "/v1/templates/code-interpreter");
      return z.object({ status: z.string() }).parse(body).status === "active";
    },
    { timeoutMs: prepareMs, everyMs: 500 },
  );
  sandbox = await Sandbox.create({ template: "code-interpreter", apiKey: platform.apiKey, baseURL: platform.url });
  base = (await sandbox.getInfo()).publicHost;
  token = await sandbox.getToken();
}, prepareMs + 20_000);

afterAll(async () => {
  await platform.stop();
});

async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(`${base}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  expect(answer.status).toBe(200);
  return answer.json();
}

async function cell(code: string, more: Readonly<Record<string, unknown>> = {}) {
  return ipythonResponseSchema.parse(await ask("POST", "/execute/ipython", { code, ...more }));
}

async function sessions() {
  return jupyterSessionsSchema.parse(await ask("GET", "/jupyter/sessions")).sessions;
}

describe("cells", () => {
  it("share their variables, through the published client", async () => {
    await sandbox.runIpython("x = 20; import os; os.environ['MINE'] = 'kept'");
    const result = await sandbox.runIpython("print(os.environ['MINE']); x + 22");
    expect(result).toMatchObject({ success: true, stdout: "kept\n", result: "42" });
  });

  it("show every kind of output", async () => {
    const shown = await cell(
      [
        "from IPython.display import display, HTML, Markdown, Latex, JSON, SVG",
        "display(HTML('<b>h</b>')); display(Markdown('*m*')); display(Latex('$l$')); display(JSON({'j': 1}))",
        "display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')); display('plain')",
        "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()",
        "import pandas as pd; pd.DataFrame({'column': [1, 2]})",
      ].join("\n"),
      { timeout: 120 },
    );
    expect(shown).toMatchObject({ exit_code: 0, markdown: "*m*", latex: "$l$", json: { j: 1 }, stdout: "'plain'\n" });
    expect(shown.html).toContain("<b>h</b>");
    expect(shown.html).toContain("column");
    expect(shown.svg).toContain("<svg");
    expect(shown.png).toMatch(/^iVBORw0KGgo/);
    expect(shown.dataframe).toEqual([{ column: 1 }, { column: 2 }]);
  });

  it("tell of their errors, and go on", async () => {
    const failed = await cell("y = 1\nraise ValueError('no')");
    expect(failed).toMatchObject({ success: false, exit_code: 1 });
    expect(failed.stderr).toContain("ValueError: no");
    expect((await cell("y")).result).toBe("1");
    expect((await cell("input('?')")).stderr).toContain("nobody to ask");
  });

  it("are interrupted at their timeout, and their kernel keeps its variables", async () => {
    await cell("z = 5");
    const late = await cell("import time; time.sleep(1000)", { timeout: 0.5 });
    expect(late).toMatchObject({ success: false, exit_code: 124, timed_out: true });
    expect((await cell("z")).result).toBe("5");
  });

  it("that cannot be interrupted end with their kernel, which is said and replaced", async () => {
    const stubborn =
      "import ctypes, signal; signal.signal(signal.SIGINT, signal.SIG_IGN); ctypes.CDLL(None).sleep(1000)";
    const late = await cell(stubborn, { timeout: 0.5 });
    expect(late).toMatchObject({ exit_code: 124, success: false });
    expect(late.stderr).toContain("variables are lost");
    expect((await cell("'z' in globals()")).result).toBe("False");
  });

  it("that end their kernel say how, and the next one has another", async () => {
    const dead = await cell("import os; os._exit(7)");
    expect(dead).toMatchObject({ success: false, exit_code: 7 });
    expect(dead.stderr).toContain("exit code 7");
    const [state] = (await sessions()).map(({ execution_state: one }) => one);
    expect(state).toBe("dead");
    expect((await cell("1 + 1")).result).toBe("2");
  });

  it("of several contexts know nothing of each other, and sessions tell the truth", async () => {
    await cell("name = 'a'", { context: "a" });
    await cell("name = 'b'", { context: "b" });
    expect((await cell("name", { context: "a" })).result).toBe("'a'");
    const busy = cell("import time; time.sleep(3)", { context: "b" });
    await until("a busy kernel", async () =>
      (await sessions()).some(({ kernel_id: id, execution_state: state }) => id === "b" && state === "busy"),
    );
    await ask("POST", "/jupyter/sessions/b/interrupt");
    expect((await busy).stderr).toContain("KeyboardInterrupt");
    await ask("DELETE", "/jupyter/sessions/b");
    expect((await sessions()).map(({ kernel_id: id }) => id)).not.toContain("b");
  });

  it("see the sandbox's environment as it is now, and a call's own only in that call", async () => {
    await sandbox.env.set("LATER", "1");
    expect((await cell("import os; os.environ['LATER']")).result).toBe("'1'");
    expect((await cell("os.environ['OWN']", { env: { OWN: "2" } })).result).toBe("'2'");
    expect((await cell("'OWN' in os.environ")).result).toBe("False");
  });

  it("run one after the other, in the order of the calls", async () => {
    await cell("order = []");
    await Promise.all(Array.from({ length: 10 }, (_, index) => cell(`order.append(${index})`)));
    expect((await cell("sorted(order) == list(range(10))")).result).toBe("True");
  });
});

describe("programs of their own", () => {
  it("know nothing of each other, a hundred times", async () => {
    const code = [
      "import os, sys, threading, builtins, signal",
      "assert 'leak' not in globals() and not hasattr(builtins, 'leak') and 'LEAK' not in os.environ",
      "assert os.getcwd() == '/workspace' and threading.active_count() == 1 and 'leaky' not in sys.modules",
      "assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL and os.getsid(0) == os.getpid()",
      "import numpy as np",
      "builtins.leak = leak = 1; os.environ['LEAK'] = '1'; sys.modules['leaky'] = sys; os.chdir('/tmp')",
      "signal.signal(signal.SIGTERM, signal.SIG_IGN); np.random.seed(1)",
      "print(os.getpid())",
    ].join("\n");
    const pids = new Set<string>();
    for (let count = 0; count < 100; count += 1) {
      const { stdout, stderr, exit_code: exit } = await sandbox.runCode(code, { language: "python" });
      expect([exit, stderr]).toEqual([0, ""]);
      pids.add(stdout.trim());
    }
    expect(pids.size).toBe(100);
  });

  it("find a module of their own where it has the name of one that is known already", async () => {
    await sandbox.files.write("/workspace/requests.py", "ours = True");
    await sandbox.files.write("/workspace/socket.py", "ours = True");
    const result = await sandbox.runCode("import requests, socket; print(requests.ours, socket.ours)", {
      language: "python",
    });
    expect(result.stdout).toBe("True True\n");
    await sandbox.files.remove("/workspace/requests.py");
    await sandbox.files.remove("/workspace/socket.py");
  });
});

it("a template without IPython says so", async () => {
  const plain = await Sandbox.create({ template: "base", apiKey: platform.apiKey, baseURL: platform.url });
  await expect(plain.runIpython("1")).rejects.toThrow(/no IPython/);
});
