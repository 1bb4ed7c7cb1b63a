import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import { selfSigned } from "#agent/tls/self-signed.ts";

describe("the agent's own certificate", () => {
  it("is a certificate that its key signed, valid now and for weeks, different each time", () => {
    const now = Date.UTC(2049, 11, 30);
    const made = Array.from({ length: 40 }, () => new X509Certificate(selfSigned("i0123456789abcdef", now).cert));
    for (const one of made) {
      expect(one.verify(one.publicKey)).toBe(true);
      expect(one.subject).toBe("CN=i0123456789abcdef");
      expect(Date.parse(one.validFrom)).toBeLessThan(now);
      expect(Date.parse(one.validTo)).toBeGreaterThan(now + 20 * 86_400_000);
    }
    expect(new Set(made.map((one) => one.fingerprint256)).size).toBe(40);
  });

  it("serves TLS 1.3, and the other end sees its fingerprint", async () => {
    const { key, cert } = selfSigned("i0123456789abcdef", Date.now());
    const server = createServer({ key, cert }, (socket) => socket.end("hello"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const client: TLSSocket = connect({
      port: (server.address() as AddressInfo).port,
      host: "127.0.0.1",
      rejectUnauthorized: false,
    });
    await once(client, "secureConnect");
    expect(client.getProtocol()).toBe("TLSv1.3");
    expect(client.getPeerCertificate().fingerprint256).toBe(new X509Certificate(cert).fingerprint256);
    client.destroy();
    server.close();
  });
});
