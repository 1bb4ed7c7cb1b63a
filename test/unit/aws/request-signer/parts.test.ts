import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { payloadHash } from "#aws/request-signer/payload.ts";
import { readTarget } from "#aws/request-signer/target.ts";
import { sessionPolicy } from "#core/network/session-policy.ts";

describe("a request's target", () => {
  it("loses a presigned address's signature, of version 4 and of version 2", () => {
    const presigned =
      "/k?X-Amz-Algorithm=AWS4&X-Amz-Credential=a&X-Amz-Date=d&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=s&X-Amz-Security-Token=t&x-id=GetObject&versionId=3";
    expect(readTarget(presigned, true).text).toBe("/k?x-id=GetObject&versionId=3");
    expect(readTarget("/k?AWSAccessKeyId=a&Signature=s&Expires=1&acl", true).text).toBe("/k?acl");
    // A parameter of its own, without the old signature.
    expect(readTarget("/k?Expires=1", true).text).toBe("/k?Expires=1");
  });

  it("is encoded as it is signed", () => {
    expect(readTarget("/b/a b+c(1)%2b%c3%bc/%ff?prefix=a%20b+c/&x=*", true)).toEqual({
      path: "/b/a%20b%2Bc%281%29%2B%C3%BC/%ff",
      query: { prefix: ["a b c/"], x: ["*"] },
      text: "/b/a%20b%2Bc%281%29%2B%C3%BC/%ff?prefix=a%20b%20c%2F&x=%2A",
    });
    expect(readTarget("/model/a:0/invoke", false).text).toBe("/model/a:0/invoke");
    expect(readTarget("/a?k=2&k=1&k", false)).toMatchObject({ query: { k: ["2", "1", ""] }, text: "/a?k=2&k=1&k" });
    expect(readTarget("/#/x", true).text).toBe("/");
  });

  it("is refused when nobody could say what it means", () => {
    expect(() => readTarget("/a?x=%ff", true)).toThrow(/not valid UTF-8/);
  });
});

describe("what is said of the body", () => {
  const said = (text: string, more: [string, string][] = []) => new Map([["x-amz-content-sha256", text], ...more]);
  const sent = new Map([["content-length", "2"]]);
  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  const s3 = { service: "s3", method: "PUT" };

  it("to S3: what the request says, else its hash, else nothing", () => {
    expect(payloadHash({ ...s3, headers: said("UNSIGNED-PAYLOAD"), body: Buffer.from("x") })).toBe("UNSIGNED-PAYLOAD");
    const trailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    expect(payloadHash({ ...s3, headers: said(trailer), body: null })).toBe(trailer);
    expect(payloadHash({ ...s3, headers: said(hash("ab"), [...sent]), body: null })).toBe(hash("ab"));
    expect(payloadHash({ ...s3, headers: sent, body: Buffer.from("ab") })).toBe(hash("ab"));
    expect(payloadHash({ ...s3, headers: sent, body: null })).toBe("UNSIGNED-PAYLOAD");
  });

  it("is refused where chunks or a form carry signatures of their own", () => {
    for (const kind of ["PAYLOAD", "PAYLOAD-TRAILER", "EVENTS"]) {
      const headers = said(`STREAMING-AWS4-HMAC-SHA256-${kind}`);
      expect(() => payloadHash({ ...s3, headers, body: null })).toThrow(/AWS_REQUEST_CHECKSUM_CALCULATION/);
    }
    const form = new Map([["content-type", "multipart/form-data; boundary=x"]]);
    expect(() => payloadHash({ service: "s3", method: "POST", headers: form, body: null })).toThrow(/PutObject/);
  });

  it("to others: the hash of what they get, whatever the request says", () => {
    const sqs = { service: "sqs", method: "POST" };
    expect(payloadHash({ ...sqs, headers: said("0".repeat(64)), body: Buffer.from("ab") })).toBe(hash("ab"));
    expect(payloadHash({ ...sqs, headers: new Map(), body: null })).toBe(hash(""));
    expect(() => payloadHash({ ...sqs, headers: sent, body: null })).toThrow(/too long/);
    expect(() => payloadHash({ ...sqs, headers: said("UNSIGNED-PAYLOAD", [...sent]), body: null })).toThrow(/too long/);
  });
});

describe("a session's policy", () => {
  it("is the grants, each thing once", () => {
    const grants = [{ actions: ["s3:GetObject", "s3:GetObject"], resources: ["arn:aws:s3:::b/*"] }];
    expect(JSON.parse(sessionPolicy(grants))).toEqual({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: ["s3:GetObject"], Resource: ["arn:aws:s3:::b/*"] }],
    });
  });

  it.each(["iam:PassRole", "sts:AssumeRole", "sts:*", "organizations:ListAccounts"])("is never %s", (action) => {
    expect(() => sessionPolicy([{ actions: [action], resources: ["*"] }])).toThrow(/cannot be granted/);
  });

  it("is no longer than AWS takes", () => {
    const resources = Array.from({ length: 30 }, (_, n) => `arn:aws:s3:::${"b".repeat(60)}-${n}/*`);
    expect(() => sessionPolicy([{ actions: ["s3:GetObject"], resources }])).toThrow(/AWS takes 2048/);
  });
});
