import { randomBytes } from "node:crypto";
import { posix } from "node:path";
import { commandResponseSchema } from "#contracts/agent/commands.ts";
import type { Agent } from "../agent.ts";
import { CliError } from "../failure.ts";
import { sendPiece, type Upload } from "./send-piece.ts";

/** More than that goes up in pieces: one upload carries 100 MiB. */
const pieceBytes = 64 * 2 ** 20;

/** A file whose last byte has not arrived is not there under its name. */
export async function uploadFile(agent: Agent, upload: Upload): Promise<void> {
  if (upload.size <= pieceBytes) await sendPiece(agent, upload, upload.remote, 0, upload.size);
  else await uploadInPieces(agent, upload);
}

async function uploadInPieces(agent: Agent, upload: Upload): Promise<void> {
  const { remote, size, signal } = upload;
  const whole = posix.join(posix.dirname(remote), `.bulkhead-cp-${randomBytes(8).toString("hex")}`);
  const piece = `${whole}.piece`;
  try {
    for (let from = 0; from < size; from += pieceBytes) {
      await sendPiece(agent, upload, piece, from, Math.min(size, from + pieceBytes));
      await command(agent, 'cat -- "$1" >> "$2" && rm -f -- "$1"', [piece, whole], signal);
    }
    await command(agent, 'mv -fT -- "$1" "$2"', [whole, remote], signal);
  } catch (error) {
    // With a signal of its own: the other may be the reason why we are here.
    await command(agent, 'rm -f -- "$1" "$2"', [piece, whole], AbortSignal.timeout(10_000)).catch(() => undefined);
    throw error;
  }
}

/** @throws CliError with what the command wrote unless it succeeded */
export async function command(
  agent: Agent,
  script: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const body = { command: "/bin/sh", args: ["-c", script, "sh", ...args], timeout: 300 };
  const answer = await agent.call("POST", "/commands/run", commandResponseSchema, { body, signal, timeoutMs: 330_000 });
  if (answer.exit_code !== 0)
    throw new CliError(`In sandbox ${agent.sandboxId}: ${answer.stderr.trim() || "a command failed"}`);
}
