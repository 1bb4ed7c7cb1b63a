import { BulkheadError } from "#contracts/errors.ts";
import type { AgentPort, AuditChain, Compute, TokenSigner, Vault } from "#core/ports.ts";

/** Ports for functions that have no rights for them: the code that would use them is there, the permission is not. */

function refuse(port: string): () => Promise<never> {
  return () =>
    Promise.reject(new BulkheadError("INTERNAL_ERROR", `This function has no ${port}. Report the request id.`));
}

const noCompute = refuse("compute");
export const refusedCompute: Compute = {
  launch: noCompute,
  describe: noCompute,
  stop: noCompute,
  list: noCompute,
  removeDisk: noCompute,
  listDisks: noCompute,
};

const noAgent = refuse("way to agents");
export const refusedAgent: AgentPort = {
  activate: noAgent,
  renew: noAgent,
  health: noAgent,
  freeze: noAgent,
  thaw: noAgent,
  env: noAgent,
};

const noKey = refuse("signing key");
export const refusedSigner: TokenSigner = { sign: noKey, signLink: noKey };

const noVault = refuse("vault");
export const refusedVault: Vault = { seal: noVault, open: noVault, resolve: noVault };

const noChain = refuse("audit key");
export const refusedAuditChain: AuditChain = {
  list: noChain,
  // biome-ignore lint/correctness/useYield: it refuses
  async *read() {
    await noChain();
  },
  checkpoint: noChain,
  checkpoints: noChain,
  signed: noChain,
  publicKeyPem: noChain,
};
