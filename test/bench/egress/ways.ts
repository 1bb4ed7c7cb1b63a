import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** A way to a port of this machine's servers. */
export interface Way {
  readonly name: string;
  open(port: number): Promise<Socket>;
}

export const direct: Way = {
  name: "direct",
  open: (port) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, noDelay: true }, () => resolve(socket));
      socket.once("error", reject);
    }),
};

/** Through a CONNECT proxy on a Unix socket, as an instance's agent has it. */
export function through(name: string, path: string): Way {
  return {
    name,
    open: (port) =>
      new Promise((resolve, reject) => {
        const socket = connect({ path });
        socket.once("error", reject);
        socket.once("data", (answer) => {
          if (answer.toString().startsWith("HTTP/1.1 200")) resolve(socket);
          else reject(new Error(answer.toString()));
        });
        socket.write(`CONNECT api.test:${port} HTTP/1.1\r\nHost: x\r\n\r\n`);
      }),
  };
}

/** A connection that carries one byte there and back. */
export async function ping({ open }: Way, port: number): Promise<void> {
  const socket = await open(port);
  socket.write("!");
  await new Promise((resolve, reject) => socket.once("data", resolve).once("error", reject));
  socket.destroy();
}

/** MB/s from the server. */
export async function pull({ open }: Way, port: number, mebibytes: number): Promise<number> {
  const socket = await open(port);
  let bytes = 0;
  const began = performance.now();
  socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
  socket.resume();
  socket.write(`bulk${mebibytes}`);
  await new Promise((resolve) => socket.once("end", resolve));
  return bytes / 1e6 / ((performance.now() - began) / 1_000);
}

/** Requests on one kept TLS connection; each resolves when its answer is there. */
export async function requests(way: Way, port: number, ca: string): Promise<{ ask(): Promise<void>; close(): void }> {
  const socket = await way.open(port);
  const tls = connectTls({ socket, servername: "api.test", ca });
  await new Promise((resolve, reject) => tls.once("secureConnect", resolve).once("error", reject));
  const request = `GET / HTTP/1.1\r\nHost: api.test:${port}\r\nAuthorization: Bearer bhsecret_${"a".repeat(32)}\r\n\r\n`;
  return {
    ask: () =>
      new Promise((resolve, reject) => {
        let text = "";
        const more = (chunk: Buffer) => {
          text += chunk.toString();
          if (!/\r\n\r\n(ok|.*\r\n0\r\n\r\n)$/s.test(text)) return;
          tls.off("data", more);
          if (text.startsWith("HTTP/1.1 200")) resolve();
          else reject(new Error(text));
        };
        tls.on("data", more);
        tls.write(request);
      }),
    close: () => tls.destroy(),
  };
}
