import { Sandbox } from "@hopx-ai/sdk";
import { type Journal, reason, StepFailed } from "./journal.ts";

export interface Connection {
  readonly baseURL: string;
  readonly apiKey: string;
}

/** Programs that print 42. */
const programs = [
  ["python", "print(6 * 7)"],
  ["javascript", "console.log(6 * 7)"],
  ["bash", "echo $((6 * 7))"],
] as const;

/** A program of a cold sandbox waits for its instance at the gateway. */
const patientSeconds = 180;

function expectText(seen: string, wanted: string): string {
  if (seen.trim() !== wanted) throw new Error(`expected "${wanted}", saw "${seen.trim().slice(0, 200)}"`);
  return seen.trim();
}

/** What a customer does first: create, files, three languages, list, kill, 410. @throws StepFailed at the first step that fails */
export async function clientStory(journal: Journal, connection: Connection, template: string): Promise<void> {
  journal.section("client story");
  await journal.step(
    "templates are listed",
    () => Sandbox.listTemplates(connection),
    (templates) => {
      const names = templates.map(({ name }) => name);
      if (!names.includes(template)) throw new Error(`no template "${template}" among ${names.join(", ")}`);
      return names.join(", ");
    },
  );
  const sandbox = await journal.step(
    "create",
    () => Sandbox.create({ template, envVars: { GREETING: "hello" }, timeoutSeconds: 900, ...connection }),
    ({ sandboxId }) => sandboxId,
  );
  try {
    await useIt(journal, sandbox, connection);
  } finally {
    await journal.step("kill", () => sandbox.kill());
  }
  await journal.step(
    "a killed sandbox is gone, with its reason",
    async () => sandbox.getInfo().then(() => "it still answers", reason),
    (told) => {
      if (!told.startsWith("SandboxExpiredError") || !told.includes("killed")) throw new Error(told);
      return told;
    },
  );
}

async function useIt(journal: Journal, sandbox: Sandbox, connection: Connection): Promise<void> {
  const first = await journal.step("first command", () =>
    sandbox.commands.run("echo ready", { timeout: patientSeconds }),
  );
  expectText(first.stdout, "ready");
  await journal.step(
    "write a file and read it back",
    async () => {
      await sandbox.files.write("/workspace/name.txt", "world");
      return sandbox.files.read("/workspace/name.txt");
    },
    (text) => expectText(text, "world"),
  );
  for (const [language, code] of programs)
    await journal.step(
      `run ${language}`,
      () => sandbox.runCode(code, { language, timeout: 60 }),
      ({ stdout }) => expectText(stdout, "42"),
    );
  await journal.step(
    "the environment of create reaches a program",
    () => sandbox.runCode("import os; print(os.environ['GREETING'], open('/workspace/name.txt').read())"),
    ({ stdout }) => expectText(stdout, "hello world"),
  );
  await journal.step(
    "the list holds it",
    () => Sandbox.list(connection),
    (list) => {
      if (!list.some(({ sandboxId }) => sandboxId === sandbox.sandboxId)) throw new Error("it is not in the list");
      return `${list.length} live`;
    },
  );
}

/** Runs a part to its end or its first failure, which stands in the journal already. */
export async function part(run: () => Promise<unknown>): Promise<void> {
  await run().catch((thrown: unknown) => {
    if (!(thrown instanceof StepFailed)) throw thrown;
  });
}
