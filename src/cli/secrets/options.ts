import type { Command } from "commander";
import type { CreateSandboxRequest } from "#contracts/control/sandboxes.ts";
import { type SandboxSecret, sandboxSecretSchema } from "#contracts/control/secrets.ts";
import { CliError, exitCodes } from "../failure.ts";

type Secrets = Readonly<Record<string, SandboxSecret>>;

/** Flags that give a new sandbox secrets. */
export interface SecretFlags {
  readonly secret: Secrets;
  readonly broker: Secrets;
}

export function addSecretOptions(command: Command): Command {
  return command
    .option(
      "--secret <name=reference>",
      "variable with the value of a secret, which code inside can read: secret or secret#json-key (may be repeated)",
      (text: string, known: Secrets) => added(known, text, "--secret NAME=secret or NAME=secret#json-key", byValue),
      {},
    )
    .option(
      "--broker <name=reference@hosts>",
      "variable with a placeholder, replaced by the secret on the way to the hosts, as a bearer token (may be repeated)",
      (text: string, known: Secrets) =>
        added(known, text, "--broker NAME=secret@host or NAME=secret#json-key@host,host", byBroker),
      {},
    );
}

/** What the flags say for create; nothing without any. @throws CliError for a variable that both give */
export function secretsOf({ secret, broker }: SecretFlags): Pick<CreateSandboxRequest, "secrets"> {
  const both = Object.keys(secret).filter((name) => Object.hasOwn(broker, name));
  if (both.length > 0)
    throw new CliError(`Given with --secret and with --broker: ${both.join(", ")}.`, exitCodes.usage);
  const secrets = { ...secret, ...broker };
  return Object.keys(secrets).length === 0 ? {} : { secrets };
}

const byValue = (reference: string) => ({ from: reference, deliver: "env" });

/** A name and a key may hold an @, a host may not. */
function byBroker(text: string) {
  const at = text.lastIndexOf("@");
  return { from: text.slice(0, at), deliver: "broker", hosts: at === -1 ? [] : text.slice(at + 1).split(",") };
}

/** No message repeats what was given: it may be a value, put here by mistake. */
function added(known: Secrets, text: string, form: string, read: (rest: string) => object): Secrets {
  const at = text.indexOf("=");
  const name = text.slice(0, Math.max(at, 0));
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) throw new CliError(`Say ${form}.`, exitCodes.usage);
  if (Object.hasOwn(known, name)) throw new CliError(`${name} is given twice.`, exitCodes.usage);
  const parsed = sandboxSecretSchema.safeParse(read(text.slice(at + 1)));
  if (parsed.success) return { ...known, [name]: parsed.data };
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new CliError(`${name}: ${issues.join("; ")}. Say ${form}.`, exitCodes.usage);
}
