/**
 * `proxy-connect HOST PORT`: standard input and output through the proxy to a host, as ssh wants its ProxyCommand. Half-closes pass in
 * both directions.
 */
import { createWriteStream, fstatSync } from "node:fs";
import { connect, Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { type Goal, proxyFor } from "./proxy.ts";
import { openTunnel } from "./tunnel.ts";

const [host = "", port = ""] = process.argv.slice(2);

function fail(reason: string): void {
  process.stderr.write(`proxy-connect: ${reason}\n`, () => process.exit(1));
}

/** Standard output that is closed when it ends: process.stdout stays open until its process is gone, and so does a Socket of a pipe. */
function output() {
  return fstatSync(1).isSocket()
    ? new Socket({ fd: 1, readable: false, writable: true })
    : createWriteStream("", { fd: 1 });
}

function join(socket: Socket): void {
  socket.allowHalfOpen = true;
  const out = output();
  const ways = [
    pipeline(process.stdin, socket),
    // Closed at once: ssh waits for it.
    pipeline(socket, out).then(() => void out.destroy()),
  ];
  // An end that is gone takes the other with it; ssh has its own words for that.
  Promise.all(ways).then(
    () => process.exit(0),
    () => process.exit(1),
  );
}

function main(): void {
  if (host === "" || !/^\d{1,5}$/.test(port)) {
    fail("usage: proxy-connect HOST PORT");
    return;
  }
  const goal: Goal = { protocol: "https:", host, port: Number(port) };
  const proxy = proxyFor(goal);
  if (proxy === undefined) {
    const socket = connect({ host, port: goal.port, allowHalfOpen: true });
    const refuse = (error: Error) => fail(error.message);
    socket.once("error", refuse).once("connect", () => join(socket.off("error", refuse)));
    return;
  }
  openTunnel(proxy, goal, (error, socket) => {
    if (socket === undefined) fail(error?.message ?? "no way through the proxy");
    else join(socket);
  });
}

main();
