import type { Command } from "commander";
import type { ApiKeyView } from "#contracts/control/api-keys.ts";
import { parseKeyLifetime } from "./arguments.ts";
import { addConnectionOptions, type ConnectionFlags } from "./connection.ts";
import type { NewKey } from "./control-plane.ts";
import { json, table } from "./output.ts";
import type { CliDeps } from "./program.ts";

interface JsonFlags extends ConnectionFlags {
  readonly json?: boolean;
}

interface CreateFlags extends JsonFlags {
  readonly expires?: NonNullable<NewKey["expires"]>;
}

/** `keys create|list|revoke`. */
export function addKeyCommands(program: Command, deps: CliDeps): void {
  const keys = program
    .command("keys")
    .summary("create, list and revoke API keys")
    .description("API keys of the project.");
  addConnectionOptions(keys.command("create"))
    .description("Make an API key. It is printed once, on standard output, and cannot be shown again.")
    .argument("<name>", "what the key is for")
    .option(
      "--expires <when>",
      "30d, 12h, 1month, 3months, 6months, 1year or never (default 90 days)",
      parseKeyLifetime,
    )
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead keys create ci --expires 30d\n  KEY=$(bulkhead keys create notebook)",
    )
    .action(async (name: string, flags: CreateFlags) => {
      const request: NewKey = flags.expires === undefined ? { name } : { name, expires: flags.expires };
      const created = await deps.connect(flags).createKey(request);
      if (flags.json === true) {
        deps.output.out(json({ ...created.api_key, key: created.full_key }));
        return;
      }
      deps.output.err(
        `Key ${created.api_key.id} (${name}), ends ${created.api_key.expires_at ?? "never"}. Keep it: it is shown once.`,
      );
      deps.output.out(created.full_key);
    });
  addConnectionOptions(keys.command("list"))
    .alias("ls")
    .description("List API keys. The keys themselves are not stored and cannot be shown.")
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExample:\n  bulkhead keys list")
    .action(async (flags: JsonFlags) => {
      const found = await deps.connect(flags).keys();
      deps.output.out(flags.json === true ? json(found) : keyTable(found));
    });
  addConnectionOptions(keys.command("revoke"))
    .description("Revoke an API key. It stops working within seconds.")
    .argument("<id>", "id of the key, as bulkhead keys list shows it")
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExample:\n  bulkhead keys revoke Ab3dEf6hIj9k")
    .action(async (id: string, flags: JsonFlags) => {
      await deps.connect(flags).revokeKey(id);
      deps.output.out(flags.json === true ? json({ id, revoked: true }) : `${id} revoked`);
    });
}

function keyTable(keys: readonly ApiKeyView[]): string {
  if (keys.length === 0) return "No keys.";
  // Keys may live for minutes, so the day alone would not do.
  const minute = (at: string | null): string => at?.slice(0, 16).replace("T", " ") ?? "never";
  const rows = keys.map((key) => [
    key.id,
    key.name,
    key.status,
    minute(key.created_at),
    minute(key.expires_at),
    minute(key.last_used_at),
  ]);
  return table(["ID", "NAME", "STATUS", "CREATED (UTC)", "EXPIRES", "LAST USED"], rows);
}
