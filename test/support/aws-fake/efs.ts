import { z } from "zod";
import { type AccessPoint, AwsFailure, type FakeState, pace, page } from "./state.ts";

export interface EfsRequest {
  readonly method: string;
  /** Below /2015-02-01. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

const id = z.number().int().min(0).max(4_294_967_295);
const createSchema = z.strictObject({
  ClientToken: z.string().min(1).max(64),
  FileSystemId: z.string(),
  PosixUser: z.strictObject({ Uid: id, Gid: id }),
  RootDirectory: z.strictObject({
    Path: z
      .string()
      .regex(/^(\/[^/]+){1,4}$/)
      .max(100),
    CreationInfo: z.strictObject({ OwnerUid: id, OwnerGid: id, Permissions: z.string().regex(/^[0-7]{3,4}$/) }),
  }),
  Tags: z.array(z.strictObject({ Key: z.string(), Value: z.string() })),
});

const tagsSchema = z.strictObject({
  Tags: z.array(z.strictObject({ Key: z.string().min(1).max(128), Value: z.string().max(256) })).min(1),
});

const points = "/access-points";
const tagging = "/resource-tags/";

/** Names of the operations, for the log of calls. */
export function efsOperation({ method, path }: Pick<EfsRequest, "method" | "path">): string {
  if (path.startsWith(tagging)) return "TagResource";
  return { POST: "CreateAccessPoint", GET: "DescribeAccessPoints", DELETE: "DeleteAccessPoint" }[method] ?? method;
}

/** EFS's operations on access points, as far as they are used. */
export function makeEfs(state: FakeState): (request: EfsRequest) => Record<string, unknown> | null {
  const notFound = (point: string) =>
    new AwsFailure("AccessPointNotFound", `Access point ${point} does not exist.`, 404);

  function describe(point: AccessPoint): Record<string, unknown> {
    const ready = state.now() - point.createdAt >= pace.accessPointReady;
    return {
      AccessPointId: point.id,
      ClientToken: point.clientToken,
      FileSystemId: point.fileSystemId,
      LifeCycleState: ready ? "available" : "creating",
      PosixUser: point.posixUser,
      RootDirectory: point.rootDirectory,
      Tags: point.tags.map(({ key, value }) => ({ Key: key, Value: value })),
    };
  }

  function create(body: unknown): Record<string, unknown> {
    const parsed = createSchema.safeParse(body);
    if (!parsed.success)
      throw new AwsFailure("BadRequest", `The fake does not know this request: ${parsed.error.message}`);
    const input = parsed.data;
    if (input.FileSystemId !== state.fileSystemId)
      throw new AwsFailure("FileSystemNotFound", "No such file system.", 404);
    const existing = [...state.accessPoints.values()];
    const earlier = existing.find((point) => point.clientToken === input.ClientToken);
    if (earlier !== undefined) {
      throw new AwsFailure("AccessPointAlreadyExists", "It exists already.", 409, { AccessPointId: earlier.id });
    }
    if (existing.length >= state.limits.accessPoints) {
      throw new AwsFailure("AccessPointLimitExceeded", "The limit of access points has been reached.", 403);
    }
    const made: AccessPoint = {
      id: `fsap-${String(state.nextNumber()).padStart(17, "0")}`,
      clientToken: input.ClientToken,
      fileSystemId: input.FileSystemId,
      tags: input.Tags.map(({ Key, Value }) => ({ key: Key, value: Value })),
      posixUser: input.PosixUser,
      rootDirectory: input.RootDirectory,
      createdAt: state.now(),
    };
    state.accessPoints.set(made.id, made);
    return describe(made);
  }

  function list(query: URLSearchParams): Record<string, unknown> {
    const [point, fileSystem] = [query.get("AccessPointId"), query.get("FileSystemId")];
    if ((point === null) === (fileSystem === null)) throw new AwsFailure("BadRequest", "One of both identifiers.");
    if (point !== null) {
      const found = state.accessPoints.get(point);
      if (found === undefined) throw notFound(point);
      return { AccessPoints: [describe(found)] };
    }
    const found = [...state.accessPoints.values()].filter((one) => one.fileSystemId === fileSystem);
    const { items, next } = page(found, state.limits.pageSize, query.get("NextToken") ?? undefined);
    return { AccessPoints: items.map(describe), ...(next !== undefined && { NextToken: next }) };
  }

  function tag(id: string, body: unknown): null {
    const found = state.accessPoints.get(id);
    if (found === undefined) throw notFound(id);
    const parsed = tagsSchema.safeParse(body);
    if (!parsed.success)
      throw new AwsFailure("BadRequest", `The fake does not know this request: ${parsed.error.message}`);
    const given = new Map(parsed.data.Tags.map(({ Key, Value }) => [Key, Value]));
    const others = found.tags.filter(({ key }) => !given.has(key));
    const tags = [...others, ...[...given].map(([key, value]) => ({ key, value }))];
    state.accessPoints.set(id, { ...found, tags });
    return null;
  }

  return ({ method, path, query, body }) => {
    if (method === "POST" && path.startsWith(tagging)) return tag(path.slice(tagging.length), body);
    if (method === "POST" && path === points) return create(body);
    if (method === "GET" && path === points) return list(query);
    const point = path.startsWith(`${points}/`) ? path.slice(points.length + 1) : "";
    if (method !== "DELETE" || point === "")
      throw new AwsFailure("BadRequest", `The fake does not know ${method} ${path}`);
    if (!state.accessPoints.delete(point)) throw notFound(point);
    return null;
  };
}
