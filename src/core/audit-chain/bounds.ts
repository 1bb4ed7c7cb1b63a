import { canonicalJson } from "./canonical.ts";

/** What an event may say beside its fields, as JSON: of what was done a whole policy, of what was not done little. */
const maxDetails = { allowed: 131_072, refused: 8192, failed: 8192 } as const;
const maxMember = 1024;
/** What a segment holds at most, as JSON: the database takes 400 KB, and what is random does not get smaller. */
const maxSegmentBytes = 300_000;

/** Details that fit: where they do not, their large members are left out and named. */
export function boundedDetails(
  details: Readonly<Record<string, unknown>>,
  outcome: keyof typeof maxDetails,
): Readonly<Record<string, unknown>> {
  const bytes = Buffer.byteLength(canonicalJson(details));
  if (bytes <= maxDetails[outcome]) return details;
  const kept: Record<string, unknown> = {};
  const omitted: string[] = [];
  let size = 0;
  for (const [name, value] of Object.entries(details)) {
    const length = Buffer.byteLength(canonicalJson({ [name]: value }));
    if (length > maxMember || size + length > maxDetails.refused / 2) {
      if (omitted.length < 20) omitted.push(name.slice(0, 64));
      continue;
    }
    kept[name] = value;
    size += length;
  }
  return { ...kept, omittedDetails: omitted, detailBytes: bytes };
}

/** The first ones that fit into a segment together, one at least. */
export function fitting<T extends object>(events: readonly T[], most: number): readonly T[] {
  let bytes = 0;
  let count = 0;
  for (const event of events) {
    bytes += Buffer.byteLength(JSON.stringify(event)) + 100;
    if (count === most || (count > 0 && bytes > maxSegmentBytes)) break;
    count += 1;
  }
  return events.slice(0, count);
}
