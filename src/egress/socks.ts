import type { Socket } from "node:net";
import { admit } from "./admit.ts";
import { type Parsed, parseDestination } from "./destination.ts";
import type { Listener } from "./listener.ts";
import type { Refusal } from "./refusal.ts";
import { type TakeVisible, tunnel } from "./tunnel.ts";

/** SOCKS 5 without authentication (RFC 1928): who asks is known otherwise. CONNECT only. */
const version = 5;
const noAuthentication = 0;
const noneAcceptable = 0xff;
const longestWaitMs = 20_000;

const replies = {
  granted: 0,
  failure: 1,
  notAllowed: 2,
  unreachable: 4,
  commandUnknown: 7,
  addressUnknown: 8,
} as const;
const fromStatus: Record<Refusal["status"], number> = {
  400: replies.addressUnknown,
  403: replies.notAllowed,
  407: replies.notAllowed,
  502: replies.unreachable,
  503: replies.failure,
};

interface Question {
  readonly command: number;
  readonly parsed: Parsed;
  readonly rest: Buffer;
}

export async function serveSocks(
  listener: () => Promise<Listener> | Listener,
  socket: Socket,
  takeVisible: TakeVisible,
): Promise<void> {
  const timer = setTimeout(() => socket.destroy(), longestWaitMs);
  const asked = await converse(socket);
  clearTimeout(timer);
  if (asked === null) {
    socket.destroy();
    return;
  }
  if (asked.command !== 1) {
    socket.end(reply(replies.commandUnknown));
    return;
  }
  const found = await listener();
  const admitted = await admit(found, { protocol: "socks5", parsed: asked.parsed, request: null });
  const refuse = (refused: Refusal) => void socket.end(reply(fromStatus[refused.status]));
  if ("refused" in admitted) {
    refuse(admitted.refused);
    return;
  }
  const established = () => void socket.write(reply(replies.granted));
  await tunnel(found, admitted.connection, { socket, head: asked.rest, established, refuse }, takeVisible);
}

/** Greeting, choice, question. null for what is not SOCKS 5. */
function converse(socket: Socket): Promise<Question | null> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    let greeted = false;
    const settle = (question: Question | null) => {
      socket.off("data", more).off("end", gone).off("close", gone);
      socket.pause();
      resolve(question);
    };
    const gone = () => settle(null);
    const more = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (!greeted) {
        const methods = bytes[1];
        if (methods === undefined || bytes.length < 2 + methods) return;
        const offered = bytes.subarray(2, 2 + methods);
        if (bytes[0] !== version || !offered.includes(noAuthentication)) {
          socket.end(Buffer.from([version, noneAcceptable]));
          settle(null);
          return;
        }
        greeted = true;
        bytes = bytes.subarray(2 + methods);
        socket.write(Buffer.from([version, noAuthentication]));
      }
      const question = readQuestion(bytes);
      if (question !== undefined) settle(question);
    };
    socket.on("data", more).once("end", gone).once("close", gone);
  });
}

/** undefined: more bytes are needed. */
function readQuestion(bytes: Buffer): Question | null | undefined {
  if (bytes.length < 5) return undefined;
  if (bytes[0] !== version) return null;
  const [, command = 0, , type, first = 0] = bytes;
  const length = type === 1 ? 4 : type === 4 ? 16 : type === 3 ? 1 + first : null;
  if (length === null)
    return { command, parsed: { problem: "the kind of address is not known" }, rest: Buffer.alloc(0) };
  if (bytes.length < 4 + length + 2) return undefined;
  const address = bytes.subarray(4, 4 + length);
  const port = bytes.readUInt16BE(4 + length);
  return { command, parsed: parseDestination(hostOf(type ?? 0, address), port), rest: bytes.subarray(4 + length + 2) };
}

function hostOf(type: number, address: Buffer): string {
  if (type === 3) return address.toString("latin1", 1);
  if (type === 1) return [...address].join(".");
  const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(index * 2).toString(16));
  return `[${groups.join(":")}]`;
}

/** The address bound is of no use to anybody behind a proxy: zeros. */
function reply(code: number): Buffer {
  return Buffer.from([version, code, 0, 1, 0, 0, 0, 0, 0, 0]);
}
