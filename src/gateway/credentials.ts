import type { IncomingHttpHeaders } from "node:http";
import type { Route } from "./route.ts";

/** Name of the preview's cookie and of the query parameter that sets it. */
export const tokenName = "bulkhead_token";

/** What a caller shows. `from` says where it stood: only a token from the query becomes a cookie. */
export type Credential =
  | { readonly kind: "token"; readonly token: string; readonly from: "header" | "cookie" | "query" }
  | { readonly kind: "key"; readonly key: string };

/** The credential of a request, undefined when it shows none. Query and cookie count for previews only. */
export function readCredential(route: Route, headers: IncomingHttpHeaders): Credential | undefined {
  if (route.kind === "preview") {
    const query = tokenInQuery(route.path);
    if (query !== undefined) return { kind: "token", token: query, from: "query" };
    const cookie = tokenInCookie(headers.cookie);
    if (cookie !== undefined) return { kind: "token", token: cookie, from: "cookie" };
  }
  const bearer = /^bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  if (bearer !== undefined) return keyOrToken(bearer);
  const key = headers["x-api-key"];
  if (typeof key === "string" && key !== "") return keyOrToken(key);
  return undefined;
}

function keyOrToken(text: string): Credential {
  if (text.startsWith("hopx_live_")) return { kind: "key", key: text };
  return { kind: "token", token: text, from: "header" };
}

function tokenInQuery(path: string): string | undefined {
  const start = path.indexOf("?");
  if (start < 0 || !path.includes(tokenName, start)) return undefined;
  return new URLSearchParams(path.slice(start + 1)).get(tokenName) ?? undefined;
}

/** The path without the token parameter; every other character stays as it was. */
export function withoutQueryToken(path: string): string {
  const start = path.indexOf("?");
  if (start < 0) return path;
  const kept = path
    .slice(start + 1)
    .split("&")
    .filter((part) => !new URLSearchParams(part).has(tokenName));
  return kept.length === 0 ? path.slice(0, start) : `${path.slice(0, start)}?${kept.join("&")}`;
}

function tokenInCookie(header: string | undefined): string | undefined {
  const part = header?.split(";").find((cookie) => cookie.trim().startsWith(`${tokenName}=`));
  const value = part?.slice(part.indexOf("=") + 1).trim();
  return value === undefined || value === "" ? undefined : value;
}

/** The Cookie header without the token; undefined when nothing is left. */
export function withoutCookieToken(header: string): string | undefined {
  const kept = header.split(";").filter((cookie) => !cookie.trim().startsWith(`${tokenName}=`));
  const text = kept.join(";").trim();
  return text === "" ? undefined : text;
}

/** Keeps a preview open in a browser that came with the token in the address. */
export function tokenCookie(token: string, path: string, secondsLeft: number, secure: boolean): string {
  const base = `${tokenName}=${token}; Path=${path === "" ? "/" : path}; Max-Age=${Math.max(0, secondsLeft)}`;
  return `${base}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
}
