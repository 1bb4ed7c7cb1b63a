import { readFile } from "node:fs/promises";
import { Sandbox } from "@hopx-ai/sdk";
import { z } from "zod";
import { type Connection, part } from "./client-story.ts";
import type { Journal } from "./journal.ts";

const probeSchema = z.object({ probe: z.string(), reached: z.boolean(), detail: z.string() });
export type Probe = z.infer<typeof probeSchema>;

/** Probes that are allowed to get through: what they see is written down, nothing more. */
const noted = /^(addresses$|a public address through the proxy$|NFS naming its own access point)/;

export interface InsideOptions {
  readonly region: string;
  readonly bucket: string;
  readonly nfs: readonly string[];
}

/** What a sandbox presents to the file server to name an access point. */
export interface Identity {
  readonly name: string;
  /** Key and certificate. */
  readonly pem: string;
}

/** What somebody with AWS rights adds, from outside. */
export interface Outside {
  /** Identities that name the sandbox's own access point and its neighbour's, by their private addresses. */
  identities(own: string | undefined, neighbour: string | undefined): Promise<readonly Identity[]>;
  /** Runs with the private address of the sandbox before it is killed. */
  whileAlive(own: string | undefined): Promise<void>;
}

const nobody: Outside = { identities: () => Promise.resolve([]), whileAlive: () => Promise.resolve() };

export function readProbes(stdout: string): readonly Probe[] {
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => probeSchema.parse(JSON.parse(line)));
}

async function probe(sandbox: Sandbox, given: Record<string, unknown>): Promise<readonly Probe[]> {
  await sandbox.files.write("/workspace/probe.py", await readFile(new URL("probe.py", import.meta.url), "utf8"));
  const quoted = `'${JSON.stringify(given).replaceAll("'", "'\\''")}'`;
  const { stdout, stderr } = await sandbox.commands.run(`python3 /workspace/probe.py ${quoted}`, { timeout: 280 });
  const probes = readProbes(stdout);
  if (probes.length === 0) throw new Error(`the probe wrote nothing: ${stderr.slice(0, 300)}`);
  return probes;
}

/** Private addresses of a sandbox, as it sees them; none where it has no interface. */
function addressesOf(probes: readonly Probe[]): readonly string[] {
  return (probes.find((one) => one.probe === "addresses")?.detail ?? "").split(" ").filter(Boolean);
}

/** Tries from inside a sandbox what code in it must not be able to do, its neighbour's address and files included. */
export async function fromInside(
  journal: Journal,
  connection: Connection,
  template: string,
  options: InsideOptions,
  outside: Outside = nobody,
): Promise<void> {
  journal.section("from inside");
  const made: Sandbox[] = [];
  const create = async (name: string): Promise<Sandbox> => {
    const sandbox = await journal.step(name, () => Sandbox.create({ template, timeoutSeconds: 900, ...connection }));
    made.push(sandbox);
    return sandbox;
  };
  try {
    const [sandbox, neighbour] = [await create("create a sandbox"), await create("create its neighbour")];
    const { region, bucket, nfs } = options;
    const given = { region, bucket, nfs, proxied: "https://example.com/", neighbours: [], identities: [], only: null };
    const addresses = async (of: Sandbox) => addressesOf(await probe(of, { ...given, only: ["addresses"] }));
    const [own] = await journal.step("ask it for its address", () => addresses(sandbox));
    // The neighbour is left alive afterwards: it has to be there to be looked for.
    const neighbours = await journal.step("ask the neighbour for its address", () => addresses(neighbour));
    if (neighbours.length === 0) journal.write("the neighbour's address", "skipped", "it has no interface at all");
    const identities = await outside.identities(own, neighbours[0]);
    const probes = await journal.step("try every way out", () => probe(sandbox, { ...given, neighbours, identities }));
    for (const one of probes) journal.write(one.probe, verdictOf(one), said(one));
    await outside.whileAlive(own);
  } finally {
    for (const sandbox of made) await part(() => journal.step("kill", () => sandbox.kill()));
  }
}

function verdictOf({ probe: name, reached }: Probe): "ok" | "failed" | "measured" {
  if (noted.test(name)) return "measured";
  return reached ? "failed" : "ok";
}

function said({ probe: name, reached, detail }: Probe): string {
  if (name === "addresses") return detail || "none but loopback";
  return `${reached ? "REACHED" : "closed"}: ${detail}`;
}
