/** Addresses of a sandbox as callers use them. */
export interface PublicAddresses {
  publicHost(sandboxId: string): string;
  previewUrl(sandboxId: string): string;
}

/** By path: works without a domain. WebSockets drop the path; the gateway then goes by the token. */
export function pathAddresses(gatewayUrl: string): PublicAddresses {
  return {
    publicHost: (id) => `${gatewayUrl}/s/${id}`,
    previewUrl: (id) => `${gatewayUrl}/p/${id}/{port}/`,
  };
}

/**
 * By host. Unmodified clients read preview addresses from a host that ends in `.vms.hopx.dev`: the path says so, and the gateway
 * takes it off again (contract §1.4).
 */
export function domainAddresses(domain: string): PublicAddresses {
  return {
    publicHost: (id) => `https://7777-${id}.${domain}/p.vms.hopx.dev`,
    previewUrl: (id) => `https://{port}-${id}.${domain}/`,
  };
}
