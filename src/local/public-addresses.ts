/** Addresses of a sandbox as callers use them. */
export interface PublicAddresses {
  publicHost(sandboxId: string): string;
  previewUrl(sandboxId: string): string;
}

/** By path: works on one machine without a domain. WebSockets drop the path; the gateway then goes by the token. */
export function pathAddresses(gatewayUrl: string): PublicAddresses {
  return {
    publicHost: (id) => `${gatewayUrl}/s/${id}`,
    previewUrl: (id) => `${gatewayUrl}/p/${id}/{port}/`,
  };
}
