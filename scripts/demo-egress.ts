import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Sandbox } from "@hopx-ai/sdk";
import { systemClock as clock } from "#core/system-clock.ts";
import { makeAuthority } from "#egress/certificates/authority.ts";
import { makeCertificates } from "#egress/certificates/certificates.ts";
import { bulkhead, type RunningPlatform, startPlatform } from "#test/e2e/support/platform.ts";

/**
 * A secret that a sandbox uses and cannot read: a vendor's HTTPS API with a CA of its own, a sandbox that may reach it and nothing else,
 * and what the record says of it afterwards. Ends with exit code 1 when a promise is not kept.
 */
const vendor = "api.vendor.example";
const other = "other.example";
const token = `live-${crypto.randomUUID()}`;
let broken = 0;
/** What the vendor was sent. */
const received: { path: string; authorization: string }[] = [];

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function promise(kept: boolean, tried: string, seen: string): void {
  if (!kept) broken += 1;
  say(`  ${kept ? "✓" : "✗ NOT KEPT:"} ${tried}\n      ${seen.trim().replaceAll("\n", "\n      ")}`);
}

/** Tells who called, and what it was sent: an API that gives secrets away, on purpose. */
async function startVendor(): Promise<{ server: Server; caPem: string; port: number }> {
  const certificates = makeCertificates({ authority: await makeAuthority({ deployment: "vendor", clock }), clock });
  const server = createServer(
    { SNICallback: (name, done) => void certificates.contextFor(name).then((context) => done(null, context), done) },
    (req, res) => {
      const authorization = req.headers.authorization ?? "";
      received.push({ path: req.url ?? "", authorization });
      const known = authorization === `Bearer ${token}`;
      res.writeHead(known ? 200 : 401, { "content-type": "application/json" });
      res.end(JSON.stringify({ hello: known ? "customer 4711" : "nobody", you_sent: authorization }));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, caPem: certificates.caPem, port: (server.address() as AddressInfo).port };
}

async function story(platform: RunningPlatform, port: number): Promise<void> {
  const connection = { baseURL: platform.url, apiKey: platform.apiKey };
  const cli = (args: readonly string[], input = "") =>
    bulkhead([...args, "--url", platform.url, "--api-key", platform.apiKey], { input });
  say(`\nThe operator keeps the vendor's token (bulkhead secrets set vendor, value on standard input)`);
  const set = await cli(["secrets", "set", "vendor"], `{"token":"${token}"}\n`);
  promise(
    set.stdout.includes("version 1"),
    "it is kept, and does not come out again",
    (await cli(["secrets", "list"])).stdout,
  );

  const sandbox = await create(connection, port);
  const run = async (command: string) => {
    const { stdout, stderr } = await sandbox.commands.run(command, { timeout: 30 });
    return `${stdout}${stderr}`;
  };
  say(`\nInside of sandbox ${sandbox.sandboxId}`);
  const inside = await run("echo $VENDOR_TOKEN");
  promise(/^bhsecret_[a-z2-7]{32}\n$/.test(inside), "VENDOR_TOKEN is a placeholder", inside);
  const url = `https://${vendor}:${port}/me`;
  const curl = await run(`curl -sS -H "Authorization: Bearer $VENDOR_TOKEN" ${url}`);
  promise(
    curl.includes("customer 4711") && !curl.includes(token),
    "curl calls the API with it, and the API's echo of it is hidden",
    curl,
  );
  const python = await run(
    `python3 -c "import os, urllib.request as u; print(u.urlopen(u.Request('${url}', headers={'Authorization': 'Bearer ' + os.environ['VENDOR_TOKEN']})).read().decode())"`,
  );
  promise(python.includes("customer 4711") && !python.includes(token), "so does Python", python);
  const node = await run(
    `node -e "fetch('${url}', { headers: { authorization: 'Bearer ' + process.env.VENDOR_TOKEN } }).then((r) => r.text()).then(console.log)"`,
  );
  promise(node.includes("customer 4711") && !node.includes(token), "and Node's fetch", node);
  await elsewhere(run, port);
  await search(sandbox, run);
  await record(cli, sandbox.sandboxId);
  await sandbox.kill();
}

/** By the API, because the published client does not know policies and brokered secrets. */
async function create(connection: { baseURL: string; apiKey: string }, port: number): Promise<Sandbox> {
  const answer = await fetch(`${connection.baseURL}/v1/sandboxes`, {
    method: "POST",
    headers: { "x-api-key": connection.apiKey, "content-type": "application/json" },
    body: JSON.stringify({
      template_name: "base",
      network: { mode: "allow-list", rules: [`${vendor}:${port}`, `${other}:${port}`] },
      secrets: { VENDOR_TOKEN: { from: "vendor#token", deliver: "broker", hosts: [`${vendor}:${port}`] } },
    }),
  });
  const { id } = (await answer.json()) as { id: string };
  return Sandbox.connect(id, connection.apiKey, connection.baseURL);
}

async function elsewhere(run: (command: string) => Promise<string>, port: number): Promise<void> {
  say("\nThe same placeholder anywhere else");
  const before = received.length;
  const body = await run(`curl -sS -d "token=$VENDOR_TOKEN" https://${vendor}:${port}/form`);
  promise(body.includes("Bulkhead") && received.length === before, "in a body to the same host: dropped", body);
  const header = await run(`curl -sS -H "X-Token: $VENDOR_TOKEN" https://${vendor}:${port}/me`);
  promise(header.includes("Bulkhead") && received.length === before, "in another header: dropped", header);
  const plain = await run(`curl -sS -H "Authorization: Bearer $VENDOR_TOKEN" http://${other}:${port}/`);
  promise(plain.includes("Bulkhead") && received.length === before, "to another host: dropped", plain);
  const host = await run(`curl -sS -m 10 https://example.com/`);
  promise(host.includes("403"), "and a host that is not on the list is not reached at all", host);
}

async function search(sandbox: Sandbox, run: (command: string) => Promise<string>): Promise<void> {
  say("\nThe sandbox looks for the value");
  const memory = await run(
    `python3 - <<'P'\nimport glob\nn = 0\nfor p in glob.glob('/proc/[0-9]*/environ'):\n  try: n += open(p, 'rb').read().count(b'${token.slice(0, 12)}')\n  except OSError: pass\nprint(n)\nP`,
  );
  promise(memory.trim() === "0", "in every environment it can read", `found ${memory.trim()} times`);
  const disk = await run(`grep -rsl '${token.slice(0, 12)}' /workspace /tmp /etc /opt /run 2>/dev/null | wc -l`);
  promise(disk.trim() === "0", "in every file it can read", `found ${disk.trim()} times`);
  const env = JSON.stringify(await sandbox.env.getAll());
  promise(!env.includes(token), "and through the API of its agent", "a placeholder there, too");
}

async function record(
  cli: (args: readonly string[]) => Promise<{ stdout: string; stderr: string }>,
  id: string,
): Promise<void> {
  say("\nWhat is on record (bulkhead egress list)");
  let listed = "";
  for (const giveUpAt = Date.now() + 10_000; !listed.includes("example.com") && Date.now() < giveUpAt; ) {
    listed = (await cli(["egress", "list", "--sandbox", id])).stdout;
  }
  promise(
    listed.includes(vendor) && listed.includes("deny") && !listed.includes(token),
    "every connection, and every refusal",
    listed,
  );
  const suggested = (await cli(["policy", "suggest", id])).stdout;
  promise(
    suggested.includes(vendor) && !suggested.includes(other),
    "the smallest allow-list for it (bulkhead policy suggest)",
    suggested,
  );
}

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-demo-"));
  const { server, caPem, port } = await startVendor();
  const trust = join(directory, "vendor-ca.pem");
  await writeFile(trust, caPem);
  say(`A vendor's API at https://${vendor}:${port}, with a CA of its own; a platform that trusts it.`);
  const platform = await startPlatform({
    env: {
      BULKHEAD_EGRESS_ALLOW: "127.0.0.1",
      BULKHEAD_EGRESS_HOSTS: `${vendor}=127.0.0.1,${other}=127.0.0.1`,
      BULKHEAD_EGRESS_TRUST: trust,
    },
  });
  try {
    await story(platform, port);
  } finally {
    await platform.stop();
    server.close();
    await rm(directory, { recursive: true });
  }
  say(broken === 0 ? "\nEvery promise kept." : `\n${broken} promises not kept.`);
  process.exitCode = broken === 0 ? 0 : 1;
}

await main();
