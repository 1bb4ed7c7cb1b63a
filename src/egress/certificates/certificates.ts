import { createSecureContext, type SecureContext } from "node:tls";
import type { Clock } from "#core/ports.ts";
import type { Certificates } from "../ports.ts";
import type { Authority } from "./authority.ts";
import { leafValidMs, makeLeafs } from "./leafs.ts";

const maxHosts = 1_000;

interface Cached {
  readonly context: SecureContext;
  readonly issuedAt: number;
}

/**
 * What the proxy shows for each host whose TLS it ends, signed by the deployment's CA. The contexts of the hosts used last are kept for
 * half of their certificate's life.
 * @throws Error for an authority that `makeAuthority` did not make, or that has expired
 */
export function makeCertificates(deps: {
  readonly authority: Authority;
  readonly clock: Pick<Clock, "now">;
}): Certificates & { /** PEM. */ readonly caPem: string } {
  const { authority, clock } = deps;
  const leafs = makeLeafs(authority, clock.now());
  /** In the order of their last use. */
  const cached = new Map<string, Cached>();

  const issue = (host: string, now: number): Cached => {
    const context = createSecureContext({ key: leafs.keyPem, cert: leafs.issue(host, now), minVersion: "TLSv1.2" });
    return { context, issuedAt: now };
  };

  return {
    caPem: authority.certificatePem,
    contextFor(host) {
      const name = host.toLowerCase();
      const now = clock.now();
      const known = cached.get(name);
      const fresh = known !== undefined && Math.abs(now - known.issuedAt) < leafValidMs / 2;
      const entry = fresh ? known : issue(name, now);
      cached.delete(name);
      cached.set(name, entry);
      const [oldest] = cached.keys();
      if (cached.size > maxHosts && oldest !== undefined) cached.delete(oldest);
      return Promise.resolve(entry.context);
    },
  };
}
