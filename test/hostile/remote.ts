import { Sandbox } from "@hopx-ai/sdk";
import type { HostileWorld } from "./world.ts";

/** An attempt asked for something of the machine that the platform runs on. */
export class NeedsTheMachine extends Error {
  constructor(what: string) {
    super(`needs ${what} of the machine that the platform runs on`);
  }
}

const lacking = (what: string): never => {
  throw new NeedsTheMachine(what);
};

/** The world of a deployment that is somewhere else: sandboxes by its API and nothing more. What is missing says so when it is asked for. */
export async function openRemoteWorld(url: string, apiKey: string): Promise<HostileWorld> {
  const made: Sandbox[] = [];
  const create = async (body: Readonly<Record<string, unknown>> = {}) => {
    const answer = await fetch(`${url}/v1/sandboxes`, {
      method: "POST",
      headers: { "x-api-key": apiKey, "content-type": "application/json" },
      body: JSON.stringify({ template_name: "base", timeout_seconds: 1_800, ...body }),
    });
    if (!answer.ok) throw new Error(`no sandbox: ${answer.status} ${(await answer.text()).slice(0, 200)}`);
    const { id } = (await answer.json()) as { id: string };
    const sandbox = await Sandbox.connect(id, apiKey, url);
    made.push(sandbox);
    return sandbox;
  };
  const close = async () => {
    for (const sandbox of made) await sandbox.kill().catch(() => undefined);
  };
  try {
    const victimMarker = `victim-${crypto.randomUUID().slice(0, 13)}`;
    const [attacker, victim] = [await create(), await create({ env_vars: { HIDDEN: victimMarker } })];
    await victim.files.write("/workspace/secret.txt", victimMarker);
    await victim.commands.run("cp /workspace/secret.txt /tmp/; (sleep 987654321 >/dev/null 2>&1 &)");
    const { memoryMb = 512, vcpu = 1, diskMb = 1024 } = (await attacker.getInfo()).resources ?? {};
    const shell: HostileWorld["shell"] = async (sandbox, command, timeout = 30) => {
      const { stdout, stderr } = await sandbox.commands.run(command, { timeout });
      return stdout + stderr;
    };
    return {
      ...{ attacker, victim, victimMarker, create, shell, close },
      limits: { memoryMb, vcpu, diskMb },
      python: (sandbox, program, timeout) =>
        shell(sandbox, `echo ${Buffer.from(program).toString("base64")} | base64 -d | python3 -`, timeout),
      cli: () => Promise.reject(new NeedsTheMachine("the bulkhead command")),
      get platform() {
        return lacking("files and ports");
      },
      get hostService() {
        return lacking("a service");
      },
      get web() {
        return lacking("a web server");
      },
      get secureWeb() {
        return lacking("a web server");
      },
      get secretValue() {
        return lacking("a stored secret");
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
