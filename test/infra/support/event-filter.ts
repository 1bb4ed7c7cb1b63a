import { z } from "zod";

const ruleSchema = z.union([z.string(), z.object({ prefix: z.string() })]);
const objectSchema = z.record(z.string(), z.unknown());

/** EventBridge's pattern language, as far as our filters use it: every named field has one of the values, or starts with the prefix. */
export function matches(pattern: unknown, event: unknown): boolean {
  if (Array.isArray(pattern)) {
    return pattern.some((one) => {
      const rule = ruleSchema.parse(one);
      return typeof event === "string" && (typeof rule === "string" ? event === rule : event.startsWith(rule.prefix));
    });
  }
  const object = objectSchema.safeParse(event);
  return (
    object.success &&
    Object.entries(objectSchema.parse(pattern)).every(([name, inner]) => matches(inner, object.data[name]))
  );
}
