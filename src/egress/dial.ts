import { connect, type Socket, type TcpNetConnectOpts } from "node:net";
import type { Clock } from "#core/ports.ts";

/**
 * What a side of a connection may be behind before the other waits: four of the largest reads. With Node's own sixteen kilobytes each
 * read of a fast transfer waits for the one before.
 */
const socketBytes = 256 * 1024;

/**
 * Connects to the first of `addresses` that answers before the deadline (epoch milliseconds). They are literal addresses
 * that were checked: nothing is looked up again, so a name that changes its mind in between changes nothing.
 * @throws Error of the last attempt
 */
export async function dial(
  addresses: readonly string[],
  port: number,
  deadline: number,
  clock: Clock,
): Promise<Socket> {
  let last: unknown = new Error("no address to connect to");
  for (const [index, host] of addresses.entries()) {
    const left = deadline - clock.now();
    if (left <= 0) break;
    // One silent address must not use up the time of those after it.
    const share = Math.max(left / (addresses.length - index), Math.min(left, 1000));
    try {
      return await connectOnce(host, port, share, clock);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

function connectOnce(host: string, port: number, ms: number, clock: Clock): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const options: TcpNetConnectOpts & { readonly highWaterMark: number } = {
      ...{ host, port, highWaterMark: socketBytes },
      ...{ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 },
    };
    const socket = connect(options);
    const timer = clock.after(ms, () =>
      socket.destroy(new Error(`no answer from ${host} within ${Math.round(ms)} ms`)),
    );
    const fail = (error: Error) => {
      timer.cancel();
      reject(error);
    };
    socket.once("error", fail);
    socket.once("connect", () => {
      timer.cancel();
      socket.off("error", fail);
      resolve(socket);
    });
  });
}

/** Settles as `work` does, or rejects after `ms`. */
export function within<T>(work: Promise<T>, ms: number, clock: Clock, message: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => reject(new Error(message)));
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}
