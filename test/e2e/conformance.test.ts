import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { javascriptRows } from "#test/conformance/javascript.ts";
import { isFailure } from "#test/conformance/outcome.ts";
import { pythonRows } from "#test/conformance/python.ts";
import { routeRows } from "#test/conformance/routes.ts";
import { page, type Section } from "#test/conformance/table.ts";
import { control } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { until } from "./support/until.ts";

const target = new URL("../../docs/conformance.md", import.meta.url);
const prepareMs = 220_000;
const sections: Section[] = [];
let platform: RunningPlatform;

beforeAll(async () => {
  platform = await startPlatform({ flags: ["--pool", "base=1,code-interpreter=2"] });
  await until(
    "prepared code-interpreter",
    async () => {
      const { body } = await control(platform, "GET", "/v1/templates/code-interpreter");
      return z.object({ status: z.string() }).parse(body).status === "active";
    },
    { timeoutMs: prepareMs, everyMs: 500 },
  );
}, prepareMs + 20_000);

afterAll(async () => {
  await platform.stop();
});

function holds(section: Section): void {
  sections.push(section);
  expect(section.rows.filter(isFailure)).toEqual([]);
  expect(section.rows.length).toBeGreaterThan(0);
}

it("every public method of the JavaScript client", async () => {
  holds({ title: "`@hopx-ai/sdk` 0.5.1", rows: await javascriptRows(platform) });
}, 120_000);

it("every public method of the Python clients", async () => {
  holds({ title: "`hopx-ai` 0.5.0, sync and async", rows: await pythonRows(platform) });
}, 120_000);

it("every route of both OpenAPI files", async () => {
  const { control: routes, agent } = await routeRows(platform);
  holds({ title: "Routes of the control plane", rows: routes });
  holds({ title: "Routes of the agent", rows: agent });
}, 120_000);

it("is what the page says", async () => {
  expect(sections).toHaveLength(4);
  const text = page(sections);
  if (process.env["BULKHEAD_UPDATE"] === "1") await writeFile(target, text);
  expect(await readFile(target, "utf8").catch(() => "")).toBe(text);
});
