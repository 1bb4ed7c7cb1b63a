import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const adapters = new URL("../../../src/aws/", import.meta.url).pathname;

/** Calls whose right is called otherwise. */
const otherwise: Readonly<Record<string, readonly string[]>> = {
  Invoke: ["InvokeFunction"],
  Put: ["PutItem"],
  Get: ["GetItem"],
  Update: ["UpdateItem"],
  Delete: ["DeleteItem"],
  BatchWrite: ["BatchWriteItem"],
  TransactWrite: ["PutItem"],
};
/** On one machine and in tests only: nobody deploys a table there, and dynalite's indexes have to be repaired. */
const localOnly = new Set(["CreateTable", "DescribeTable", "Scan"]);

/** Names of the AWS actions, without their service, that the adapters in src/aws call. */
export function usedActions(): readonly string[] {
  const source = readdirSync(adapters, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(join(adapters, file), "utf8"))
    .join("\n");
  const calls = [...source.matchAll(/new ([A-Z]\w+)Command\(|\bpaginate([A-Z]\w+)\(|\.call\(\s*"([A-Z]\w+)"/g)];
  const names = new Set(calls.map(([, command, paginated, query]) => command ?? paginated ?? query ?? ""));
  return [...names].filter((name) => !localOnly.has(name)).flatMap((name) => otherwise[name] ?? [name]);
}
