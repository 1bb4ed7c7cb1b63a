import * as z from "zod";
import { environmentSchema, scopeSchema } from "#contracts/access.ts";
import type { Principal } from "#core/model.ts";

/** What our authorizer hands over; API Gateway passes texts only. */
const authorizerSchema = z.object({
  projectId: z.string().min(1),
  keyId: z.string().min(1),
  environment: environmentSchema.nullable().catch(null),
  scopes: z.string().transform((text, context) => {
    const scopes = z.array(scopeSchema).safeParse(text.split(","));
    if (scopes.success) return scopes.data;
    context.addIssue({ code: "custom", message: "unknown scope" });
    return z.NEVER;
  }),
});

const bindingsSchema = z.object({
  requestContext: z.object({
    authorizer: z.unknown(),
    identity: z.object({ sourceIp: z.string().nullish(), userArn: z.string().nullish() }),
  }),
});

/**
 * Whom the door in front has let in: the holder of an API key, or an IAM role. What a role may do is decided by the policy that lets it
 * call a route; within its project it may do all that the route does.
 */
export function restPrincipal(defaultProject: string): (bindings: unknown) => Principal | undefined {
  return (bindings) => {
    const parsed = bindingsSchema.safeParse(bindings);
    if (!parsed.success) return undefined;
    const { authorizer, identity } = parsed.data.requestContext;
    const key = authorizerSchema.safeParse(authorizer);
    if (key.success) return key.data;
    if (identity.userArn == null || identity.userArn === "") return undefined;
    return {
      projectId: defaultProject,
      keyId: `iam:${roleOf(identity.userArn)}`,
      scopes: ["admin"],
      environment: null,
    };
  };
}

export function restSourceIp(bindings: unknown): string | null {
  const parsed = bindingsSchema.safeParse(bindings);
  return parsed.success ? (parsed.data.requestContext.identity.sourceIp ?? null) : null;
}

/** `arn:aws:sts::1:assumed-role/Role/session` without the session, which its holder chooses. */
function roleOf(arn: string): string {
  return arn.replace(/^(.*:assumed-role\/[^/]+)\/.*$/, "$1");
}
