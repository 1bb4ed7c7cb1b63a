import type { SubIds } from "./facts.ts";

/** Ids kept back at the start of a range: rootless podman maps from its first one. */
const skipped = 32_768;

/** The first range that /etc/subuid or /etc/subgid gives a user, named by login or by number. */
export function parseSubIds(
  text: string,
  user: { readonly name: string | null; readonly uid: number },
): SubIds["uid"] | null {
  for (const line of text.split("\n")) {
    const [owner, first, count] = line.trim().split(":");
    if (owner !== user.name && owner !== String(user.uid)) continue;
    const range = { first: Number(first), count: Number(count) };
    if (!Number.isInteger(range.first) || !Number.isInteger(range.count) || range.first <= 0 || range.count <= 0)
      continue;
    if (range.count <= skipped * 2 - 1) return range;
    return { first: range.first + skipped, count: range.count - skipped };
  }
  return null;
}

/** Login name of a uid in the text of /etc/passwd. */
export function loginName(passwd: string, uid: number): string | null {
  return (
    passwd
      .split("\n")
      .map((line) => line.split(":"))
      .find((fields) => fields[2] === String(uid))?.[0] ?? null
  );
}
