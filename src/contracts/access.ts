import * as z from "zod";

/** Everything that can be allowed. One word each for what is touched and how; routes and services name them, keys carry them. */
export const permissions = [
  "sandboxes:read",
  "sandboxes:create",
  /** Run code, use files, terminals, ports and tokens of a sandbox. */
  "sandboxes:exec",
  /** Deadlines, pause, resume, stop, start. */
  "sandboxes:update",
  "sandboxes:kill",
  /** Quarantine a sandbox, look into it, release or end it. */
  "sandboxes:quarantine",
  "templates:read",
  "templates:write",
  "keys:read",
  "keys:write",
  /** The audit record, its checkpoints and evidence bundles. */
  "audit:read",
  "alerts:read",
  "alerts:write",
  /** Network policies and the egress record. */
  "network:read",
  /** Network policies and published ports. */
  "network:write",
  "secrets:read",
  "secrets:write",
  /** Lifecycle events and webhooks. */
  "events:read",
  "events:write",
  "limits:read",
  "limits:write",
] as const;
export type Permission = (typeof permissions)[number];

export const permissionAreas = [
  "sandboxes",
  "templates",
  "keys",
  "audit",
  "alerts",
  "network",
  "secrets",
  "events",
  "limits",
] as const;
export type PermissionArea = (typeof permissionAreas)[number];

const reading = ["sandboxes:read", "templates:read", "network:read", "secrets:read", "limits:read"] as const;
const using = [
  ...reading,
  "sandboxes:create",
  "sandboxes:exec",
  "sandboxes:update",
  "sandboxes:kill",
  "network:write",
] as const;
const managing = [
  ...using,
  "templates:write",
  "keys:read",
  "keys:write",
  "audit:read",
  "alerts:read",
  "alerts:write",
  "secrets:write",
  "events:read",
  "events:write",
] as const;

/** Names for usual sets of permissions, from weakest to strongest. */
export const roles = {
  read: reading,
  use: using,
  manage: managing,
  admin: permissions,
} as const satisfies Record<string, readonly Permission[]>;
export type Role = keyof typeof roles;
export const roleNames = ["read", "use", "manage", "admin"] as const satisfies readonly Role[];

/** What a key may carry: a role, one permission, or all of an area. */
export type Scope = Role | Permission | `${PermissionArea}:*`;
export const scopes: readonly Scope[] = [
  ...roleNames,
  ...permissions,
  ...permissionAreas.map((area) => `${area}:*` as const),
];
export const scopeSchema = z.enum(scopes as [Scope, ...Scope[]]);

/** The permissions that a set of scopes stands for. */
export function permissionsOf(granted: readonly Scope[]): ReadonlySet<Permission> {
  return new Set(granted.flatMap((scope): readonly Permission[] => one(scope)));
}

function one(scope: Scope): readonly Permission[] {
  if (isRole(scope)) return roles[scope];
  if (!scope.endsWith(":*")) return [scope as Permission];
  const area = scope.slice(0, -1);
  return permissions.filter((permission) => permission.startsWith(area));
}

function isRole(scope: Scope): scope is Role {
  return Object.hasOwn(roles, scope);
}

/** Keys and sandboxes belong to one: a key of one reaches no sandbox of another. */
export const environments = ["dev", "staging", "prod"] as const;
export type Environment = (typeof environments)[number];
export const environmentSchema = z.enum(environments);
