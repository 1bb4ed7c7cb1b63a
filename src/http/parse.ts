import type { z } from "zod";
import { BulkheadError } from "#contracts/errors.ts";

const maxIssues = 20;

/** Parses what a caller sent. @throws BulkheadError INVALID_REQUEST whose `details.issues` name the fields, never their values */
export function parseInput<S extends z.ZodType>(
  schema: S,
  value: unknown,
  where: "body" | "query" | "path",
): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, maxIssues).map((issue) => ({
    path: issue.path.map(String).join("."),
    message: issue.message,
  }));
  const told = issues.map((issue) => `${issue.path === "" ? where : issue.path}: ${issue.message}`).join("; ");
  throw new BulkheadError("INVALID_REQUEST", `Invalid ${where}. ${told}.`, { details: { issues } });
}

/** Query parameters without empty values: `?status=` means no status. The first of a repeated name counts. */
export function parseQuery<S extends z.ZodType>(schema: S, query: Record<string, string>): z.output<S> {
  const given = Object.entries(query).filter(([, value]) => value !== "");
  return parseInput(schema, Object.fromEntries(given), "query");
}
