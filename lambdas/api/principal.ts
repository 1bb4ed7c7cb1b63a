import * as z from "zod";
import { environmentSchema, scopeSchema } from "#contracts/access.ts";
import type { KeyLimits, Principal } from "#core/model.ts";
import { type IamProjects, iamGrant } from "./iam-projects.ts";

const limit = z.number().int().nonnegative().nullable();
const limitsSchema: z.ZodType<KeyLimits> = z.object({
  maxSandboxes: limit,
  createsPerMinute: limit,
  requestsPerMinute: limit,
});

/** What our authorizer hands over; API Gateway passes texts only. */
const authorizerSchema = z.object({
  projectId: z.string().min(1),
  keyId: z.string().min(1),
  /** Absent: all. What is no environment is no caller, rather than one that reaches all. */
  environment: environmentSchema.nullish().transform((environment) => environment ?? null),
  limits: z
    .string()
    .transform((text, context) => {
      const limits = limitsSchema.safeParse(parsedJson(text));
      if (limits.success) return limits.data;
      context.addIssue({ code: "custom", message: "no limits" });
      return z.NEVER;
    })
    .optional(),
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
 * Whom the door in front has let in: the holder of an API key, or an IAM role. Which routes a role may call is decided by its IAM policy;
 * its project, and what it may do there, by the deployment's list. Where there is a list, a role that is not in it is nobody; where
 * there is none, it has all of the default project.
 */
export function restPrincipal(
  defaultProject: string,
  iamProjects: IamProjects = [],
): (bindings: unknown) => Principal | undefined {
  return (bindings) => {
    const parsed = bindingsSchema.safeParse(bindings);
    if (!parsed.success) return undefined;
    const { authorizer, identity } = parsed.data.requestContext;
    const key = authorizerSchema.safeParse(authorizer);
    if (key.success) {
      const { limits, ...who } = key.data;
      return { ...who, ...(limits !== undefined && { limits }) };
    }
    if (identity.userArn == null || identity.userArn === "") return undefined;
    const role = roleOf(identity.userArn);
    const anyone = { project: defaultProject, scopes: ["admin" as const], environment: null };
    const granted = iamProjects.length === 0 ? anyone : iamGrant(iamProjects, role);
    if (granted === undefined) return undefined;
    const { project: projectId, scopes, environment } = granted;
    return { projectId, keyId: `iam:${role}`, scopes, environment };
  };
}

export function restSourceIp(bindings: unknown): string | null {
  const parsed = bindingsSchema.safeParse(bindings);
  return parsed.success ? (parsed.data.requestContext.identity.sourceIp ?? null) : null;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `arn:aws:sts::1:assumed-role/Role/session` without the session, which its holder chooses. */
function roleOf(arn: string): string {
  return arn.replace(/^(.*:assumed-role\/[^/]+)\/.*$/, "$1");
}
