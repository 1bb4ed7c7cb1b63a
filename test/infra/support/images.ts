import { marshall } from "@aws-sdk/util-dynamodb";
import { soloKey } from "#aws/table.ts";
import type { InstanceState } from "#core/model.ts";
import { anInstance, aSandbox } from "#test/support/fixtures.ts";

/** An item as the table's stream shows it. */
function image(kind: "INSTANCE" | "SANDBOX", record: { readonly id: string }) {
  const { pk } = soloKey(kind, record.id);
  return { ...marshall({ ...record, sk: kind }, { removeUndefinedValues: true }), pk: { S: pk } };
}

export const anInstanceImage = (state: InstanceState) => image("INSTANCE", anInstance({ state, providerId: null }));
export const aSandboxImage = () => image("SANDBOX", aSandbox());
