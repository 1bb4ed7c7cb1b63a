import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer, type Server } from "node:net";
import { systemClock as clock } from "#core/system-clock.ts";
import { makeAuthority } from "#egress/certificates/authority.ts";
import { makeCertificates } from "#egress/certificates/certificates.ts";

/** Where the benchmark's connections go: says back what it hears, sends much when asked for `bulk`, and answers HTTPS. */
process.on("disconnect", () => process.exit());
const block = Buffer.alloc(1 << 20, 7);

const echo = createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => {});
  socket.once("data", (first) => {
    if (!first.toString().startsWith("bulk")) {
      socket.write(first);
      socket.pipe(socket);
      return;
    }
    let left = Number(first.toString().slice(4));
    const send = () => {
      for (; left > 0; left -= 1) {
        if (!socket.write(block)) {
          left -= 1;
          socket.once("drain", send);
          return;
        }
      }
      socket.end();
    };
    send();
  });
});
const certificates = makeCertificates({ authority: await makeAuthority({ deployment: "servers", clock }), clock });
const https = createHttps(
  {
    SNICallback: (name, done) => void certificates.contextFor(name).then((context) => done(null, context), done),
    keepAliveTimeout: 600_000,
  },
  (_, res) => res.end("ok"),
);
const listening = (server: Server) =>
  new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
  );
process.send?.({ echo: await listening(echo), https: await listening(https), caPem: certificates.caPem });
