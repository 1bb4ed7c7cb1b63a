import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Stack } from "aws-cdk-lib";
import { afterAll, describe, expect, it } from "vitest";
import { imageBuildSpec } from "../../infra/constructs/images/build-spec.ts";

const directory = mkdtempSync(join(tmpdir(), "bulkhead-image-build-"));
afterAll(() => rmSync(directory, { recursive: true }));

const spec = JSON.parse(String(new Stack().resolve(imageBuildSpec().toBuildSpec()))) as {
  phases: { build: { commands: string[] } };
};
const script = spec.phases.build.commands.join("\n");

/** Programs of CodeBuild's image, each of which writes down how it was called and fails when a line of `failing` starts its call. */
function programs(place: string): string {
  const bin = join(place, "bin");
  mkdirSync(bin);
  for (const name of ["aws", "docker", "unzip"]) {
    const stub = [
      "#!/bin/sh",
      `call="${name} $*"`,
      `echo "$call" >>"${place}/calls"`,
      `while read -r start; do case "$call" in "$start"*) exit 1 ;; esac; done <"${place}/failing"`,
    ];
    writeFileSync(join(bin, name), `${stub.join("\n")}\nexit 0\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
}

/** Runs what CodeBuild runs; `failing` are starts of calls that do not succeed. */
function run(...failing: string[]) {
  const place = mkdtempSync(join(directory, "run-"));
  const bin = programs(place);
  writeFileSync(join(place, "failing"), failing.map((start) => `${start}\n`).join(""));
  const registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
  const { status } = spawnSync("sh", ["-c", script], {
    cwd: place,
    env: {
      PATH: `${bin}:/usr/bin:/bin`,
      repositoryRegion: "eu-west-1",
      repositoryUri: `${registry}/images`,
      repositoryAuthUri: registry,
      imageTag: "base-1",
      sourceS3Url: "s3://assets/1.zip",
      buildCommand: "docker buildx build --output type=docker,name=artifact:$imageTag .",
    },
  });
  const calls = existsSync(join(place, "calls")) ? readFileSync(join(place, "calls"), "utf8").trim().split("\n") : [];
  return { status, calls, dockers: calls.filter((call) => call.startsWith("docker") && !call.includes(" login ")) };
}

const notThere = "aws ecr describe-images";

describe("the build of an image", () => {
  it("stops where the image is there, without a look at the context", () => {
    const { status, calls } = run();
    expect(status).toBe(0);
    expect(calls).toEqual([
      "aws ecr describe-images --region eu-west-1 --repository-name images --image-ids imageTag=base-1",
    ]);
  });

  it("is pushed by BuildKit, which is pinned: Docker's own push makes gzip of zstd", () => {
    const { status, dockers } = run(notThere);
    expect(status).toBe(0);
    expect(dockers).toHaveLength(2);
    expect(dockers[0]).toMatch(/^docker buildx create .*image=moby\/buildkit:v[\d.]+@sha256:[0-9a-f]{64} --bootstrap$/);
    expect(dockers[1]).toContain("--platform linux/arm64");
    expect(dockers[1]).toMatch(/type=image,name=\S+\/images:base-1,push=true,\S*compression=zstd/);
  });

  it("is made by Docker where BuildKit's image is not to be had", () => {
    const { status, dockers } = run(notThere, "docker buildx create");
    expect(status).toBe(0);
    expect(dockers.slice(1)).toEqual([
      "docker buildx build --output type=docker,name=artifact:base-1 .",
      "docker tag artifact:base-1 123456789012.dkr.ecr.eu-west-1.amazonaws.com/images:base-1",
      "docker push 123456789012.dkr.ecr.eu-west-1.amazonaws.com/images:base-1",
    ]);
  });

  it.each([
    ["a context that is not there", ["aws s3 cp"]],
    ["a registry that lets nobody in", ["docker login"]],
    ["a Dockerfile that fails", ["docker buildx build"]],
    ["a Dockerfile that fails, by Docker", ["docker buildx create", "docker buildx build"]],
    ["a push that is refused", ["docker buildx create", "docker push"]],
  ])("fails for %s", (_name, failing) => {
    expect(run(notThere, ...failing).status).not.toBe(0);
  });
});
