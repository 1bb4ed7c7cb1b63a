import { type Command, InvalidArgumentError, Option } from "commander";
import { type Environment, environments, type Scope, scopes } from "#contracts/access.ts";
import type { ApiKeyView } from "#contracts/control/api-keys.ts";
import { parseKeyLifetime } from "./arguments.ts";
import { addConnectionOptions, type ConnectionFlags } from "./connection.ts";
import type { KeyCreated, NewKey } from "./control-plane.ts";
import { parseSeconds } from "./options.ts";
import { json, table } from "./output.ts";
import type { CliDeps } from "./program.ts";

interface JsonFlags extends ConnectionFlags {
  readonly json?: boolean;
}

interface CreateFlags extends JsonFlags {
  readonly expires?: NonNullable<NewKey["expires"]>;
  readonly scope?: readonly Scope[];
  readonly env?: Environment;
}

interface RotateFlags extends JsonFlags {
  readonly overlap?: number;
}

/** `keys create|list|rotate|revoke`. */
export function addKeyCommands(program: Command, deps: CliDeps): void {
  const keys = program
    .command("keys")
    .summary("create, list, rotate and revoke API keys")
    .description("API keys of the project.");
  addConnectionOptions(keys.command("create"))
    .description("Make an API key. It is printed once, on standard output, and cannot be shown again.")
    .argument("<name>", "what the key is for")
    .option(
      "--expires <when>",
      "30d, 12h, 1month, 3months, 6months, 1year or never (default 90 days)",
      parseKeyLifetime,
    )
    .option(
      "--scope <scope>",
      "what it may do: read, use, manage, admin, one permission like sandboxes:read, or all of an area like secrets:* (may be repeated; default manage)",
      addScope,
    )
    .addOption(
      new Option(
        "--env <environment>",
        "of the sandboxes that it makes and reaches (default that of your key)",
      ).choices([...environments]),
    )
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead keys create ci --expires 30d --scope use --env staging\n  bulkhead keys create auditor --scope audit:read\n  KEY=$(bulkhead keys create notebook)",
    )
    .action(async (name: string, flags: CreateFlags) => {
      const { expires, scope, env } = flags;
      const created = await deps.connect(flags).createKey({
        name,
        ...(expires !== undefined && { expires }),
        ...(scope !== undefined && { scopes: scope }),
        ...(env !== undefined && { environment: env }),
      });
      show(created, flags, deps);
    });
  addConnectionOptions(keys.command("rotate"))
    .description("Make a key that takes the place of another, which works on for a while. The new one is printed once.")
    .argument("<id>", "id of the key, as bulkhead keys list shows it")
    .option("--overlap <time>", "how long the old key works on, at most 7d (default 1d)", parseSeconds)
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExample:\n  KEY=$(bulkhead keys rotate Ab3dEf6hIj9k --overlap 1h)")
    .action(async (id: string, flags: RotateFlags) => {
      show(await deps.connect(flags).rotateKey(id, flags.overlap), flags, deps);
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

/** The key alone on standard output, what is to be known of it beside. */
function show({ api_key: record, full_key: key }: KeyCreated, flags: JsonFlags, { output }: CliDeps): void {
  if (flags.json === true) {
    output.out(json({ ...record, key }));
    return;
  }
  output.err(`Key ${record.id} (${record.name}), ends ${record.expires_at ?? "never"}. Keep it: it is shown once.`);
  output.out(key);
}

function addScope(text: string, before: readonly Scope[] = []): readonly Scope[] {
  const scope = scopes.find((each) => each === text);
  if (scope !== undefined) return [...before, scope];
  throw new InvalidArgumentError(`A scope is one of ${scopes.join(", ")}.`);
}

function keyTable(keys: readonly ApiKeyView[]): string {
  if (keys.length === 0) return "No keys.";
  // Keys may live for minutes, so the day alone would not do.
  const minute = (at: string | null): string => at?.slice(0, 16).replace("T", " ") ?? "never";
  const rows = keys.map((key) => [
    key.id,
    key.name,
    key.replaced_by === null ? key.status : `${key.status}, replaced`,
    key.environment ?? "all",
    key.scopes.join(" "),
    minute(key.created_at),
    minute(key.expires_at),
    minute(key.last_used_at),
  ]);
  return table(["ID", "NAME", "STATUS", "ENV", "SCOPES", "CREATED (UTC)", "EXPIRES", "LAST USED"], rows);
}
