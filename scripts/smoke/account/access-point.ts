import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DescribeAccessPointsCommand } from "@aws-sdk/client-efs";
import type { AccountClients } from "./clients.ts";

const run = promisify(execFile);

/** What a client of EFS presents in TLS to name an access point; amazon-efs-utils makes the same (mount_efs, ca_extension_builder). */
const accessPointOid = "1.3.6.1.4.1.4843.7.1";
const fileSystemOid = "1.3.6.1.4.1.4843.7.3";

export interface AccessPoint {
  readonly accessPointId: string;
  readonly fileSystemId: string;
}

/** The access point that was made for an instance; undefined when there is none. */
export async function accessPointOf(
  { efs }: Pick<AccountClients, "efs">,
  instanceId: string,
): Promise<AccessPoint | undefined> {
  let next: string | undefined;
  do {
    const page = await efs.send(new DescribeAccessPointsCommand(next === undefined ? {} : { NextToken: next }));
    const found = page.AccessPoints?.find(({ Tags = [] }) =>
      Tags.some(({ Key, Value }) => Key === "bulkhead:instance" && Value === instanceId),
    );
    const { AccessPointId: accessPointId, FileSystemId: fileSystemId } = found ?? {};
    if (accessPointId !== undefined && fileSystemId !== undefined) return { accessPointId, fileSystemId };
    next = page.NextToken;
  } while (next !== undefined);
  return undefined;
}

/** A key and a certificate, in PEM, that name an access point without any AWS credential. Wants `openssl` on this machine. */
export async function identityNaming({ accessPointId, fileSystemId }: AccessPoint): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-identity-"));
  try {
    const config = join(directory, "openssl.cnf");
    const [key, certificate] = [join(directory, "key.pem"), join(directory, "certificate.pem")];
    const extensions = `${accessPointOid} = ASN1:UTF8String:${accessPointId}\n${fileSystemOid} = ASN1:UTF8String:${fileSystemId}`;
    await writeFile(
      config,
      `[req]\nprompt = no\ndistinguished_name = name\n[name]\nCN = probe\n[v3_ca]\nsubjectKeyIdentifier = hash\n${extensions}\n`,
    );
    const request = ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "1", "-config", config];
    await run("openssl", [...request, "-extensions", "v3_ca", "-keyout", key, "-out", certificate]);
    return `${await readFile(key, "utf8")}${await readFile(certificate, "utf8")}`;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
