import type { makeStoredAuthority } from "#aws/egress-authority.ts";
import type { Clock } from "#core/ports.ts";
import { makeCertificates } from "#egress/certificates/certificates.ts";
import type { Certificates } from "#egress/ports.ts";

/** Certificates of the deployment's CA, which is read when the first one is needed: in the first deploy it is made while proxies start. */
export function makeStoredCertificates(
  authority: Pick<ReturnType<typeof makeStoredAuthority>, "read">,
  clock: Pick<Clock, "now">,
): Certificates {
  let made: Promise<Certificates> | null = null;
  const make = async () => {
    const stored = await authority.read();
    if (stored === undefined) throw new Error("the deployment has no egress CA yet");
    return makeCertificates({ authority: stored, clock });
  };
  return {
    async contextFor(host) {
      made ??= make();
      try {
        return await (await made).contextFor(host);
      } catch (error) {
        // Asked again for the next connection.
        made = null;
        throw error;
      }
    },
  };
}
