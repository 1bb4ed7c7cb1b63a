import type { Server } from "node:http";
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import type { Logger } from "#telemetry/logger.ts";

/**
 * Cuts connections from the agent's own machine, before a byte is read. Gateway and bridge come from elsewhere; who comes from here is
 * the sandbox's own code, which could renew its lease. It cannot take a foreign address: that needs a right it does not have.
 */
export function refuseOwnMachine(server: Server, logger: Logger): void {
  server.prependListener("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    if (!isOwn(address, ownAddresses())) return;
    logger.debug("call from the agent's own machine refused", { address });
    socket.destroy();
  });
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map((entry) => entry.address));
}

/** Whether a connection from `address` comes from the machine that has these addresses. Empty where the caller has hung up already. */
export function isOwn(address: string, own: readonly string[]): boolean {
  const bare = address.replace(/^::ffff:(?=\d+\.)/, "").replace(/%.*$/, "");
  return bare === "" || bare === "::1" || bare.startsWith("127.") || own.includes(bare);
}
