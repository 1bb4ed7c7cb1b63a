import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

/** Control characters that a terminal would obey; line ends and tabs are the tables' own. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const evil = '\u001b]0;owned\u0007\u001b[2J\u001b[31mfake\r\n{"level":"error"}';

function written({ platform }: HostileWorld): string {
  const logs = join(platform.home, "logs");
  return (
    platform.output() +
    readdirSync(logs)
      .map((name) => readFileSync(join(logs, name), "utf8"))
      .join("")
  );
}

const obeyed = (text: string) => control.test(text.replaceAll("\r\n", "\n"));

export const attempts = attemptsOf("logs", [
  {
    tried: "escapes and line ends in the name of a process and its arguments",
    must: "bulkhead ps prints none of them",
    async run({ create, python, cli }) {
      const sandbox = await create();
      await sandbox.commands.run("(exec -a $'\\e]0;owned\\a\\e[2Jx\\ny' sleep 300 >/dev/null 2>&1 &); true");
      await python(sandbox, "import subprocess\nsubprocess.Popen(['sleep', '301'], start_new_session=True)");
      const seen = await cli(["ps", sandbox.sandboxId]);
      await sandbox.kill();
      return judged(!obeyed(seen), JSON.stringify(seen.slice(0, 200)));
    },
  },
  {
    tried: "escapes in host names and request lines that the proxy refuses",
    must: "the record and its tables hold none",
    async run(world) {
      const { attacker, python, cli } = world;
      await python(
        attacker,
        `
import socket
for line in (${JSON.stringify("CONNECT \u001b[2Jevil.example:443 HTTP/1.1")}, ${JSON.stringify("GET http://a.example/\u001b[31m HTTP/1.1")}, 'CONNECT x\\u0080y:1 HTTP/1.1'):
    s = socket.create_connection(('127.0.0.1', 3128), 5); s.settimeout(3)
    try: s.sendall((line + '\\r\\nHost: \\x1b[5m\\r\\n\\r\\n').encode('latin1')); s.recv(500)
    except OSError: pass
`,
      );
      const seen = await cli(["egress", "list", "--sandbox", attacker.sandboxId]);
      return judged(
        !obeyed(seen) && !obeyed(written(world)),
        `${written(world).length} characters written by the platform and ${seen.length} of the table, no control character among them`,
      );
    },
  },
  {
    tried: "forged log lines in bodies, headers and names that callers choose",
    must: "the log is JSON, one line each",
    async run(world) {
      const { platform } = world;
      for (const body of [
        { template_name: evil },
        { template_name: "base", env_vars: { [evil]: "x" } },
        { template_name: "base", network: { mode: evil } },
      ]) {
        await fetch(`${platform.url}/v1/sandboxes`, {
          method: "POST",
          headers: { "x-api-key": platform.apiKey, "content-type": "application/json", "user-agent": "x\u0080y" },
          body: JSON.stringify(body),
        });
      }
      await world.attacker.files.read(`/workspace/${evil}`).catch(() => undefined);
      return judged(
        !obeyed(written(world)),
        `${written(world).length} characters written, no control character among them`,
      );
    },
  },
  {
    tried: "escapes in an API answer that the command prints",
    must: "tables and errors print none",
    async run({ cli }) {
      const seen =
        (await cli(["show", evil])) +
        (await cli(["network", "set", "1800000000abcdefghij", "--allow", evil])) +
        (await cli(["kill", evil]));
      return judged(!obeyed(seen), JSON.stringify(seen.slice(0, 160)));
    },
  },
]);
