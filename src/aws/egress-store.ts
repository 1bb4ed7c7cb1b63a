import type { EgressStore } from "#core/ports.ts";
import { makeEgressAppend } from "./egress-append.ts";
import { makeEgressList } from "./egress-list.ts";
import type { TableDeps } from "./table-access.ts";

export const defaultEgressRetentionSeconds = 30 * 86_400;

/**
 * Rows are kept in segments, one item for what one proxy recorded of one project in a moment: thousands of connections a second cost a
 * few writes. A connection that is open longer than that has an item of its own until it ends.
 */
export function makeEgressStore(deps: TableDeps, retentionSeconds = defaultEgressRetentionSeconds): EgressStore {
  return { append: makeEgressAppend(deps, retentionSeconds), list: makeEgressList(deps) };
}
