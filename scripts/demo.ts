import { createServer } from "node:http";
import { Sandbox } from "@hopx-ai/sdk";
import { type RunningPlatform, startPlatform } from "#test/e2e/support/platform.ts";

/**
 * The story of the security page, told by the published client against a platform started for it:
 * isolation of files, a secret from the environment, no way to the host's network, a memory hog stopped, manual kill.
 * Ends with exit code 1 when a promise is not kept.
 */
let broken = 0;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One promise: what was tried, what was seen, and whether that is what was promised. */
function promise(kept: boolean, tried: string, seen: string): void {
  if (!kept) broken += 1;
  say(`  ${kept ? "✓" : "✗ NOT KEPT:"} ${tried}\n      ${seen.trim().replaceAll("\n", "\n      ")}`);
}

async function story(platform: RunningPlatform): Promise<void> {
  const connection = { baseURL: platform.url, apiKey: platform.apiKey };
  say("\nTwo sandboxes, one with a secret");
  const began = performance.now();
  const alice = await Sandbox.create({ template: "base", envVars: { API_TOKEN: "tok-4711" }, ...connection });
  const took = performance.now() - began;
  const bob = await Sandbox.create({ template: "base", ...connection });
  const info = await alice.getInfo();
  const { memoryMb = 0, vcpu = 0, diskMb = 0 } = info.resources ?? {};
  promise(
    info.status === "running",
    `alice is ${alice.sandboxId}, bob is ${bob.sandboxId}`,
    `created in ${took.toFixed(0)} ms, ${vcpu} vCPU, ${memoryMb} MB memory, ${diskMb} MB disk each`,
  );
  await files(alice, bob);
  await secret(alice, bob);
  await network(alice);
  await hog(alice, memoryMb);
  await end(alice, bob, connection);
}

async function files(alice: Sandbox, bob: Sandbox): Promise<void> {
  say("\nFiles");
  await alice.files.write("/workspace/plan.txt", "only alice sees this");
  const own = await alice.runCode("print(open('/workspace/plan.txt').read())");
  promise(own.stdout.includes("only alice"), "alice writes /workspace/plan.txt and her code reads it", own.stdout);
  const other = await bob.commands.run("cat /workspace/plan.txt");
  promise(other.exit_code !== 0 && !(await bob.files.exists("/workspace/plan.txt")), "bob looks for it", other.stderr);
  const shadow = await bob.commands.run("cat /etc/shadow; ls -A /root");
  promise(
    !shadow.stdout.includes("root:"),
    "bob looks for the host's /etc/shadow and /root",
    shadow.stderr || "nothing there",
  );
}

async function secret(alice: Sandbox, bob: Sandbox): Promise<void> {
  say("\nA secret in the environment");
  const show =
    "import os; t = os.environ.get('API_TOKEN'); print(f'a token of {len(t)} characters' if t else 'no token')";
  const own = await alice.runCode(show);
  promise(own.stdout.includes("8 characters"), "alice's code uses API_TOKEN", own.stdout);
  const other = await bob.runCode(show);
  promise(other.stdout.includes("no token"), "bob's code looks for API_TOKEN", other.stdout);
  const processes = await bob.commands.run("cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c tok-4711");
  promise(
    processes.stdout.trim() === "0",
    "bob searches every process he can see for its value",
    `found ${processes.stdout.trim()} times`,
  );
}

async function network(alice: Sandbox): Promise<void> {
  say("\nThe network");
  let hits = 0;
  const host = createServer((_, response) => {
    hits += 1;
    response.end("internal");
  });
  await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
  const address = host.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const tries = [
    ["connects straight to 1.1.1.1", "timeout 5 bash -c 'exec 3<>/dev/tcp/1.1.1.1/443'"],
    [
      "asks the cloud's metadata address for credentials",
      "curl -sS -m 10 -o /dev/null -w '%{http_code} from the proxy\\n' http://169.254.169.254/latest/meta-data/",
    ],
    [
      "asks a service on the host's loopback",
      `curl -sS -m 10 --noproxy '' -o /dev/null -w '%{http_code} from the proxy\\n' http://127.0.0.1:${port}/`,
    ],
  ] as const;
  for (const [what, command] of tries) {
    const { stdout, stderr, exit_code } = await alice.commands.run(command, { timeout: 30 });
    promise(
      exit_code !== 0 || /^(4|5|000)/.test(stdout),
      `alice ${what}`,
      stdout || stderr.split("\n")[0] || "refused",
    );
  }
  promise(hits === 0, "the service on the host counts its visitors", `${hits}`);
  host.close();
}

async function hog(alice: Sandbox, memoryMb: number): Promise<void> {
  say("\nA memory hog");
  const eat = `held = []\nwhile len(held) < ${memoryMb * 3}: held.append(bytearray(b'x' * (1 << 20)))\nprint('held it all')`;
  const result = await alice.runCode(eat, { timeout: 60 });
  promise(
    !result.stdout.includes("held it all"),
    `alice's code asks for ${memoryMb * 3} MB`,
    `exit code ${result.exit_code} ${result.stderr.split("\n").at(-2) ?? ""}`,
  );
  const after = await alice.commands.run("echo still here");
  promise(after.stdout.trim() === "still here", "her sandbox goes on", after.stdout);
}

async function end(alice: Sandbox, bob: Sandbox, connection: { baseURL: string; apiKey: string }): Promise<void> {
  say("\nThe end");
  await Promise.all([alice.kill(), bob.kill()]);
  const told = await alice.getInfo().then(
    () => "it still answers",
    (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error)),
  );
  promise(told.startsWith("SandboxExpiredError"), "both are killed; alice's id is asked for again", told);
  promise((await Sandbox.list(connection)).length === 0, "the list of sandboxes", "empty");
}

say("Starting a platform of its own for this demo …");
const platform = await startPlatform();
try {
  await story(platform);
} finally {
  const code = await platform.stop();
  promise(code === 0, "the platform is stopped", `exit code ${code ?? "none"}`);
}
say(broken === 0 ? "\nEvery promise kept." : `\n${broken} promises NOT kept.`);
process.exitCode = broken === 0 ? 0 : 1;
