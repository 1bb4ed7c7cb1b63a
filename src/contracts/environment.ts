import * as z from "zod";

/** Reads a process's environment by its schema, once, in a composition root. @throws Error that names every bad variable at once, never a value */
export function readEnvironment<T extends z.ZodType>(
  schema: T,
  variables: Readonly<Record<string, string | undefined>>,
): z.output<T> {
  const parsed = schema.safeParse(variables);
  if (parsed.success) return parsed.data;
  throw new Error(`Bad environment:\n${z.prettifyError(parsed.error)}`);
}
