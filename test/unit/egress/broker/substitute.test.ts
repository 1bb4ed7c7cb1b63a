import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { Binding } from "#egress/broker/binding.ts";
import { placeholdersIn } from "#egress/broker/find.ts";
import { type Substituted, substitute } from "#egress/broker/substitute.ts";

const placeholder = (letter: string) => `bhsecret_${letter.repeat(32)}`;
const [a, b, c, stranger] = ["a", "b", "c", "7"].map(placeholder) as [string, string, string, string];
const bearer: Binding = {
  name: "TOKEN",
  placeholder: a,
  hosts: ["api.example"],
  use: "header Authorization: Bearer $",
};
const basic: Binding = { name: "PASSWORD", placeholder: b, hosts: ["api.example"], use: "basic" };
const query: Binding = { name: "KEY", placeholder: c, hosts: ["api.example"], use: "query key" };
const bound = [bearer, basic, query];
const values: Record<string, string> = { TOKEN: "tok$&en", PASSWORD: "pass:wörd", KEY: "k/e y&=é" };
const fetchValue = (binding: Binding) => Promise.resolve(values[binding.name] ?? "");
const base64 = (text: string) => Buffer.from(text).toString("base64");
const everyEscape = (text: string) => Array.from(text, (char) => `%${char.charCodeAt(0).toString(16)}`).join("");

type Headers = [string, string][];
const ask = (target: string, headers: Headers, from: readonly Binding[] = bound, all: readonly Binding[] = from) =>
  substitute({ target, headers }, from, fetchValue, all);

function refusedOf(result: Substituted): string {
  if (!("refused" in result)) throw new Error("the request was not refused");
  for (const value of Object.values(values)) expect(result.refused).not.toContain(value);
  return result.refused;
}

describe("a placeholder where it may stand", () => {
  it.each<[string, string, string]>([
    ["Authorization", `Bearer ${a}`, "Bearer tok$&en"],
    ["authorization", `bearer ${a}`, "bearer tok$&en"],
    ["Authorization", `Basic ${base64(`me:${b}`)}`, `Basic ${base64("me:pass:wörd")}`],
    ["AUTHORIZATION", `basic ${base64(`:${b}`)}`, `Basic ${base64(":pass:wörd")}`],
  ])("becomes the value in %s: %s", async (name, before, after) => {
    const others: Headers = [
      ["Host", "api.example"],
      ["X-Same", "Bearer"],
    ];
    const result = await ask("/v1?x=1", [...others, [name, before]]);
    expect(result).toMatchObject({ target: "/v1?x=1", headers: [...others, [name, after]] });
  });

  it("becomes the percent-encoded value of its query parameter", async () => {
    const result = await ask(`/v1?a=b%20c&key=${c}&key=${everyEscape(c)}&d`, []);
    expect(result).toMatchObject({
      target: "/v1?a=b%20c&key=k%2Fe%20y%26%3D%C3%A9&key=k%2Fe%20y%26%3D%C3%A9&d",
      used: [{ name: "KEY", value: values["KEY"], placeholder: c }],
    });
  });

  it("is replaced for several secrets of one request, each fetched once", async () => {
    const fetch = vi.fn(fetchValue);
    const key: Binding = { ...bearer, name: "TOKEN", use: "header X-Key: v1=$;" };
    const result = await substitute(
      {
        target: `/?key=${c}`,
        headers: [
          ["X-KEY", `v1=${a};`],
          ["x-key", ` v1=${a}; `],
          ["Authorization", `Basic ${base64(`u:${b}`)}`],
        ],
      },
      [key, basic, query],
      fetch,
    );
    expect(result).toMatchObject({
      target: "/?key=k%2Fe%20y%26%3D%C3%A9",
      headers: [
        ["X-KEY", "v1=tok$&en;"],
        ["x-key", "v1=tok$&en;"],
        ["Authorization", `Basic ${base64("u:pass:wörd")}`],
      ],
    });
    expect(fetch.mock.calls.map(([binding]) => binding.name).sort()).toEqual(["KEY", "PASSWORD", "TOKEN"]);
  });

  it("may be user and password of two secrets", async () => {
    const user: Binding = { ...basic, name: "TOKEN", placeholder: a };
    const result = await ask("/", [["Authorization", `Basic ${base64(`${a}:${b}`)}`]], [user, basic]);
    expect(result).toMatchObject({ headers: [["Authorization", `Basic ${base64("tok$&en:pass:wörd")}`]] });
  });

  it("is not needed: a request without one is passed as it is and fetches nothing", async () => {
    const fetch = vi.fn(fetchValue);
    const request = {
      target: "/a%2fb?key=v&key",
      headers: [
        ["Authorization", "Basic bWU6eA=="],
        ["X", "ü"],
      ] as Headers,
    };
    expect(await substitute(request, bound, fetch)).toEqual({ ...request, used: [] });
    expect(fetch).not.toHaveBeenCalled();
  });
});

describe("a placeholder anywhere else", () => {
  it.each<[string, string, Headers, RegExp]>([
    [
      "another header",
      "/",
      [["X-Key", a]],
      /TOKEN stands in the header X-Key; it may stand only in the header Authorization as "Bearer \$"/,
    ],
    [
      "more in the header",
      "/",
      [["Authorization", `Bearer ${a} `.concat("x")]],
      /TOKEN stands in the header Authorization/,
    ],
    ["another scheme", "/", [["Authorization", `Token ${a}`]], /TOKEN/],
    [
      "Basic of another use",
      "/",
      [["Authorization", `Basic ${base64(`u:${a}`)}`]],
      /TOKEN stands in the header Authorization/,
    ],
    ["the other side of Basic", "/", [["Authorization", `Basic ${base64(`${a}:${b}`)}`]], /TOKEN/],
    ["a part of a Basic password", "/", [["Authorization", `Basic ${base64(`u:x${b}`)}`]], /PASSWORD .*whole password/],
    ["Basic in another header", "/", [["Proxy-Authorization", `Basic ${base64(`u:${b}`)}`]], /PASSWORD/],
    ["a header's name", "/", [[a.toUpperCase(), "x"]], /the name of a header/],
    ["a header, percent-encoded", "/", [["Cookie", `a=${everyEscape(a)}`]], /TOKEN stands in the header Cookie/],
    ["the path", `/${c}/x`, [], /KEY stands in the path; it may stand only in the query parameter key/],
    ["the path, encoded twice", `/${everyEscape(everyEscape(c))}`, [], /the path/],
    ["another parameter", `/?other=${c}`, [], /KEY stands in the query/],
    ["a parameter's name", `/?${c}=1`, [], /the query/],
    ["a part of the parameter", `/?key=x${c}`, [], /the query/],
    ["the parameter, encoded twice", `/?key=${everyEscape(everyEscape(c))}`, [], /the query/],
    ["another parameter besides the right one", `/?key=${c}&x=${c}`, [], /the query/],
    ["the user of an absolute target", `http://${a}@api.example/`, [], /the path/],
    ["a secret of nobody", "/", [["Authorization", `Bearer ${stranger}`]], /belongs to no secret/],
  ])("is refused: %s", async (_name, target, headers, reason) => {
    expect(placeholdersIn(target, headers).length).toBeGreaterThan(0);
    expect(refusedOf(await ask(target, headers))).toMatch(reason);
  });

  it("names the variable that goes to another host, and where to", async () => {
    const elsewhere: Binding = { ...bearer, hosts: ["other.example", "*.more.example"] };
    const refused = refusedOf(await ask("/", [["Authorization", `Bearer ${a}`]], [basic], [basic, elsewhere]));
    expect(refused).toMatch(
      /TOKEN stands in the header Authorization; this secret goes to other\.example, \*\.more\.example only, over TLS/,
    );
  });

  it("fetches no value for a request that is refused", async () => {
    const fetch = vi.fn(fetchValue);
    await substitute({ target: `/${stranger}`, headers: [["Authorization", `Bearer ${a}`]] }, bound, fetch);
    expect(fetch).not.toHaveBeenCalled();
  });
});

describe("a value", () => {
  it.each<[Binding, string]>([
    [bearer, "a\r\nX-Evil: 1"],
    [bearer, "a\n"],
    [bearer, "a\0b"],
    [bearer, "snow ☃"],
    [basic, "a\nb"],
    [query, "a\nb"],
    [query, "\ud800"],
  ])("that cannot be carried by $use is refused", async (binding, value) => {
    const headers: Headers = [["Authorization", binding === bearer ? `Bearer ${a}` : `Basic ${base64(`u:${b}`)}`]];
    const request = binding === query ? { target: `/?key=${c}`, headers: [] } : { target: "/", headers };
    const result = await substitute(request, bound, () => Promise.resolve(value));
    expect(refusedOf(result)).toMatch(new RegExp(`^the value of ${binding.name} holds a character`));
  });

  it("with a colon cannot be a user", async () => {
    expect(refusedOf(await ask("/", [["Authorization", `Basic ${base64(`${b}:x`)}`]]))).toMatch(/PASSWORD/);
  });

  it("that cannot be read is a refusal without detail", async () => {
    const result = await substitute({ target: `/?key=${c}`, headers: [] }, bound, () =>
      Promise.reject(new Error("detail")),
    );
    expect(result).toEqual({ refused: "the secret KEY could not be read" });
  });
});

describe("any request", () => {
  it("is refused, or keeps no placeholder", async () => {
    const piece = fc.oneof(
      fc.constantFrom(a, b, c, stranger, everyEscape(a), base64(`u:${b}`), `Bearer ${a}`, `Basic ${base64(`u:${b}`)}`),
      fc.constantFrom("/", "?", "&", "=", "key=", "key", " ", "Basic ", "Bearer ", "%", "x"),
    );
    const text = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(""));
    const header = fc.tuple(fc.constantFrom("Authorization", "Cookie", "X-Key"), text);
    await fc.assert(
      fc.asyncProperty(text, fc.array(header, { maxLength: 3 }), async (target, headers) => {
        const result = await ask(target, headers);
        if ("refused" in result) {
          refusedOf(result);
          expect(placeholdersIn(target, headers)).not.toEqual([]);
          return;
        }
        expect(placeholdersIn(result.target, result.headers)).toEqual([]);
        if (result.used.length === 0) expect(result).toMatchObject({ target, headers });
      }),
      { numRuns: 2_000 },
    );
  });
});
