import { BulkheadError } from "#contracts/errors.ts";

/*
 * Fields of request bodies by hand. The zod schemas of src/contracts say what is valid; loading zod takes 30 ms and 5 MB in each
 * agent, so the agent uses their types only. test/unit/agent/parse.test.ts holds both against each other.
 */

export type Fields = Readonly<Record<string, unknown>>;

export function invalid(field: string, problem: string): BulkheadError {
  return new BulkheadError("INVALID_REQUEST", `${field} ${problem}.`, { details: { field } });
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function fieldsOf(value: unknown, name: string): Fields {
  if (!isFields(value)) throw invalid(name, "must be a JSON object");
  return value;
}

export function required(fields: Fields, field: string): unknown {
  const value = fields[field];
  if (value === undefined || value === null) {
    throw new BulkheadError("MISSING_PARAMETER", `${field} is required.`, { details: { field } });
  }
  return value;
}

export function textOf(value: unknown, field: string): string {
  if (typeof value !== "string") throw invalid(field, "must be a string");
  return value;
}

export function numberOf(value: unknown, field: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw invalid(field, "must be a number");
  return value;
}

export function integerOf(value: unknown, field: string): number {
  const number = numberOf(value, field);
  if (!Number.isSafeInteger(number)) throw invalid(field, "must be a whole number");
  return number;
}

export function booleanOf(value: unknown, field: string): boolean {
  if (typeof value !== "boolean") throw invalid(field, "must be true or false");
  return value;
}

/** Absent, null and empty mean the default. */
export function textOr(fields: Fields, field: string, byDefault: string): string {
  return textOf(fields[field] ?? byDefault, field) || byDefault;
}
