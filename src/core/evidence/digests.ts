import { createHash } from "node:crypto";
import { canonicalJson } from "../audit-chain/canonical.ts";

/** Parts of a bundle that have a digest of their own, so that a changed bundle tells where it was changed. */
export const parts = [
  "sandbox",
  "audit",
  "checkpoint",
  "egress",
  "network_policies",
  "secrets",
  "actors",
  "keys",
  "counts",
  "truncated",
] as const;

export function digestsOf(bundle: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    parts.map((part) => [part, createHash("sha256").update(canonicalJson(bundle[part])).digest("hex")]),
  );
}
