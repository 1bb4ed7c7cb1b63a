import { Sandbox } from "@hopx-ai/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { control } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { until } from "./support/until.ts";

/** The template is prepared as on a user's machine: packages are downloaded, which takes about a minute. */
const prepareMs = 220_000;

let platform: RunningPlatform;
let sandbox: Sandbox;

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
}, prepareMs + 20_000);

afterAll(async () => {
  await platform.stop();
});

const png = z.string().regex(/^iVBORw0KGgo/, "not a PNG in base64");

describe("the code-interpreter template", () => {
  it("has numpy, pandas and matplotlib, and shows plots, tables and values", async () => {
    const result = await sandbox.runCode(
      [
        "import numpy as np, pandas as pd, matplotlib.pyplot as plt",
        "plt.plot(np.arange(3)); plt.show()",
        "pd.DataFrame({'column': [1, 2]})",
      ].join("\n"),
      { language: "python", timeout: 60 },
    );
    expect(result.stderr).toBe("");
    expect(result.exit_code).toBe(0);
    png.parse(result.png);
    expect(result.html).toContain("column");
    expect(result.result).toContain("column");
  });

  it("shows the last value as JSON and text", async () => {
    const result = await sandbox.runCode("{'answer': 42}", { language: "python" });
    expect(result.result).toBe("{'answer': 42}");
    expect(JSON.stringify(result.richOutputs)).toContain('"answer":42');
  });

  it("shows a program's own error and nothing of ours", async () => {
    const result = await sandbox.runCode("def f():\n    raise ValueError('no')\nf()", { language: "python" });
    expect(result.exit_code).toBe(1);
    expect(result.stderr).toContain("ValueError: no");
    expect(result.stderr).not.toContain("run.py");
  });
});
