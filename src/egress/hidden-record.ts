import type { EgressRow } from "#core/model.ts";
import type { SecretValues } from "#telemetry/secret-values.ts";
import type { EgressRecorder, SecretSource } from "./ports.ts";

/**
 * A recorder whose rows hold no value of their project's secrets: code in a sandbox chooses hosts and methods, and what it connects to is
 * refused too late. Addresses, ports, bytes and ids stay.
 */
export function hideInRecord<R extends EgressRecorder>(recorder: R, memory: Pick<SecretValues, "hide">): R {
  return { ...recorder, record: (row: EgressRow) => recorder.record(hidden(row, memory)) };
}

function hidden(row: EgressRow, memory: Pick<SecretValues, "hide">): EgressRow {
  const hide = (text: string) => memory.hide(text, row.projectId ?? undefined);
  const orNull = (text: string | null) => (text === null ? null : hide(text));
  return {
    ...row,
    host: hide(row.host),
    method: orNull(row.method),
    rule: orNull(row.rule),
    reason: hide(row.reason),
    secrets: row.secrets.map((name) => hide(name)),
  };
}

/** A source whose values are known from their first use on. */
export function rememberUsed(source: SecretSource, memory: Pick<SecretValues, "remember">): SecretSource {
  return {
    async value(projectId, reference) {
      const value = await source.value(projectId, reference);
      memory.remember({ id: `${projectId} ${reference}`, projectId }, { [reference]: value });
      return value;
    },
  };
}
