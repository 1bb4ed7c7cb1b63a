import { describe, expect, it } from "vitest";
import { type Binding, boundTo, describeUse } from "#egress/broker/binding.ts";

const to = (...hosts: string[]): Binding => ({
  name: "KEY",
  placeholder: `bhsecret_${"a".repeat(32)}`,
  hosts,
  use: "header Authorization: Bearer $",
});

describe("where a secret is bound", () => {
  it.each<[string, string, number, boolean]>([
    ["api.example.com", "api.example.com", 443, true],
    ["api.example.com", "API.example.com", 443, true],
    ["api.example.com", "api.example.com", 80, false],
    ["api.example.com", "api.example.com", 8443, false],
    ["api.example.com:8443", "api.example.com", 8443, true],
    ["api.example.com:8443", "api.example.com", 443, false],
    ["api.example.com", "xapi.example.com", 443, false],
    ["api.example.com", "api.example.com.evil.net", 443, false],
    ["*.example.com", "api.example.com", 443, true],
    ["*.example.com", "a.b.example.com", 443, true],
    ["*.example.com", "example.com", 443, false],
    ["*.example.com", ".example.com", 443, false],
    ["*.example.com", "badexample.com", 443, false],
    ["*.example.com:444", "api.example.com", 444, true],
    ["localhost:80", "localhost", 80, true],
  ])("%s and %s:%d", (pattern, host, port, bound) => {
    expect(boundTo([to(pattern)], host, port)).toHaveLength(bound ? 1 : 0);
  });

  it("gives those bindings of which any host fits", () => {
    const [one, two] = [to("a.example", "b.example"), to("c.example")];
    expect(boundTo([one, two], "b.example", 443)).toEqual([one]);
  });

  it.each([
    ["header Authorization: Bearer $", 'the header Authorization as "Bearer $"'],
    ["basic", "Basic authentication, as the whole user or the whole password"],
    ["query key", "the query parameter key, as its whole value"],
  ])("describes %s", (use, text) => {
    expect(describeUse(use)).toBe(text);
  });
});
