import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { Permission } from "#contracts/access.ts";
import { type MatrixRow, matrixText, withTable } from "./access/table.ts";
import { badCallers, makeAccessWorld, without } from "./access/world.ts";

interface Operation {
  readonly "x-bulkhead-permission"?: Permission;
  readonly security: readonly unknown[];
}

const docs = new URL("../../docs/", import.meta.url);
const document = JSON.parse(await readFile(new URL("openapi.json", docs), "utf8")) as {
  paths: Record<string, Record<string, Operation>>;
};
const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ route: `${method.toUpperCase()} ${path}`, operation })),
);
const guarded = routes.filter(({ operation }) => operation.security.length > 0);
const rows: MatrixRow[] = [];

it("there is a request for every route of the document, and none for another", async () => {
  const { inputs } = await makeAccessWorld();
  expect(Object.keys(inputs).sort()).toEqual(guarded.map(({ route }) => route).sort());
  expect(routes.filter(({ operation }) => operation.security.length === 0).map(({ route }) => route)).toEqual([
    "GET /health",
    "GET /v1/openapi.json",
  ]);
});

describe.each(guarded)("$route", ({ route, operation }) => {
  const [method = ""] = route.split(" ");
  const permission = operation["x-bulkhead-permission"];
  const answers: Record<string, string> = {};

  it("refuses whoever shows no key, or none that opens anything", async () => {
    const world = await makeAccessWorld();
    const input = world.inputs[route] ?? { path: "" };
    for (const caller of badCallers) {
      const { status, code } = await world.ask(method, input, world.keys[caller]);
      expect([caller, status, code]).toEqual([
        caller,
        401,
        caller === "no key" ? "AUTHENTICATION_REQUIRED" : "INVALID_API_KEY",
      ]);
    }
    answers["no, bad, ended or decoy key, sandbox token"] = "401";
  });

  it("needs its permission, and no other", async () => {
    expect(permission).toBeDefined();
    if (permission === undefined) return;
    const world = await makeAccessWorld();
    const input = world.inputs[route] ?? { path: "" };
    expect(await world.ask(method, input, await world.key(without(permission)))).toEqual({
      status: 403,
      code: "FORBIDDEN",
    });
    answers["every permission but this"] = "403";
    const { status } = await world.ask(method, input, await world.key([permission]));
    if (input.otherwise === undefined) expect([status < 300, route]).toEqual([true, route]);
    else expect(status).toBe(input.otherwise);
    answers["this permission alone"] = String(status);
  });

  it("does not find what belongs to another project or environment", async () => {
    const world = await makeAccessWorld();
    const input = world.inputs[route] ?? { path: "" };
    for (const caller of ["another project's", "another environment's"] as const) {
      const { status, code } = await world.ask(method, input, world.keys[caller]);
      const finds = input.owned === undefined || (input.owned === "project" && caller === "another environment's");
      if (finds) expect([401, 404]).not.toContain(status);
      else expect([caller, status, code]).toEqual([caller, 404, expect.stringMatching(/_NOT_FOUND$/)]);
      answers[`${caller} admin key`] = finds ? (input.owned === undefined ? "its own" : String(status)) : "404";
    }
    rows.push({ route, permission: permission ?? "", answers });
  });
});

it("the matrix in docs/access.md is this one", async () => {
  const path = new URL("access.md", docs);
  const text = await readFile(path, "utf8");
  const now = withTable(text, "control plane", matrixText(rows));
  if (process.env["BULKHEAD_UPDATE"] === "1") await writeFile(path, now);
  else expect(text).toBe(now);
});
