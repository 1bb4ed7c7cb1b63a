import { parseXML } from "@aws-sdk/xml-builder";
import { z } from "zod";

export const region = "us-east-1";
export const accountId = "123456789012";

/** An emulated account, as far as a deployment talks to it. */
export interface Account {
  /** Puts a template where CloudFormation reads it: as text in a request it may have 51,200 bytes. @returns its address */
  putTemplate(name: string, template: unknown): Promise<string>;
  /** What `cdk bootstrap` leaves for templates to check. */
  bootstrap(): Promise<void>;
  /** @returns the answer's result @throws Refused */
  cloudFormation(
    action: string,
    parameters: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, unknown>>>;
}

/** CloudFormation did not take a call. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "Refused";
    this.code = code;
  }
}

const bucket = "templates";
const answerSchema = z.record(z.string(), z.unknown());
const failureSchema = z.object({ Error: z.object({ Code: z.string(), Message: z.string() }) });

export function openAccount(endpoint: string): Account {
  /** The emulator takes account, region and service from the header and checks no signature. */
  const send = async (service: string, path: string, init: { method: string; headers?: object; body: string }) => {
    const authorization = `AWS4-HMAC-SHA256 Credential=${accountId}/20260101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=0`;
    const answer = await fetch(`${endpoint}${path}`, {
      method: init.method,
      headers: { authorization, ...init.headers },
      body: init.body,
      signal: AbortSignal.timeout(30_000),
    });
    return { ok: answer.ok, text: await answer.text() };
  };
  const must = async (...call: Parameters<typeof send>) => {
    const { ok, text } = await send(...call);
    if (!ok) throw new Error(`${call[0]} refused ${call[1]}: ${text}`);
  };
  return {
    async putTemplate(name, template) {
      await must("s3", `/${bucket}`, { method: "PUT", body: "" });
      await must("s3", `/${bucket}/${name}`, { method: "PUT", body: JSON.stringify(template) });
      return `${endpoint}/${bucket}/${name}`;
    },
    bootstrap: () =>
      must("ssm", "/", {
        method: "POST",
        headers: { "x-amz-target": "AmazonSSM.PutParameter", "content-type": "application/x-amz-json-1.1" },
        body: JSON.stringify({
          Name: "/cdk-bootstrap/hnb659fds/version",
          Type: "String",
          Value: "30",
          Overwrite: true,
        }),
      }),
    async cloudFormation(action, parameters) {
      const body = new URLSearchParams({ Action: action, Version: "2010-05-15", ...parameters }).toString();
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const { ok, text } = await send("cloudformation", "/", { method: "POST", headers, body });
      const root = answerSchema.parse(Object.values(answerSchema.parse(parseXML(text)))[0]);
      if (ok) return answerSchema.parse(root[`${action}Result`]);
      const { Code, Message } = failureSchema.parse(root).Error;
      throw new Refused(Code, Message);
    },
  };
}
