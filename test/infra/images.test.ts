import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CfnElement, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PlatformImages } from "../../infra/constructs/images/platform-images.ts";
import { buildImages } from "../../scripts/build-images.mjs";
import { foundation } from "./support/app.ts";
import { contextSources, type Stage, stagesOf } from "./support/dockerfile.ts";
import { unacknowledgedFindings } from "./support/nag.ts";
import { actionsOf, flat, resourcesOf, statementsOf, theResource } from "./support/resources.ts";

const directory = mkdtempSync(join(tmpdir(), "bulkhead-images-"));
afterAll(() => rmSync(directory, { recursive: true }));

const names = ["base", "code-interpreter", "edge"] as const;
const contextOf = (name: string, dist = directory) => join(dist, "images", name);
const dockerfileOf = (name: string) => readFileSync(join(contextOf(name), "Dockerfile"), "utf8");
const lastOf = (stages: readonly Stage[]) => stages.at(-1) ?? { image: "", name: undefined, instructions: [] };

/** Every file below a directory with its mode and content. */
function listing(from: string): Record<string, string> {
  const files = readdirSync(from, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort()
      .map((path) => [
        path.slice(from.length),
        `${(statSync(path).mode & 0o777).toString(8)} ${readFileSync(path, "base64")}`,
      ]),
  );
}

beforeAll(async () => {
  writeFileSync(join(directory, "agent.cjs"), "// the agent\n");
  await buildImages({ dist: directory });
}, 60_000);

describe("a build context", () => {
  it("is the same whenever it is made from the same sources, whatever the umask", async () => {
    const again = mkdtempSync(join(tmpdir(), "bulkhead-images-"));
    const before = process.umask(0o077);
    try {
      writeFileSync(join(again, "agent.cjs"), "// the agent\n");
      chmodSync(join(again, "agent.cjs"), 0o700);
      await buildImages({ dist: again });
      expect(listing(join(again, "images"))).toEqual(listing(join(directory, "images")));
    } finally {
      process.umask(before);
      rmSync(again, { recursive: true });
    }
  });

  it("holds native tools by hash, for every architecture an image may have", () => {
    const lock = JSON.parse(readFileSync(join(contextOf("base"), "tools/package-lock.json"), "utf8")) as {
      packages: Record<string, { integrity?: string; version: string }>;
    };
    const ours = JSON.parse(readFileSync("package-lock.json", "utf8")) as typeof lock;
    const tools = [
      "esbuild",
      ...["@esbuild/linux", "@lydell/node-pty-linux"].flatMap((name) => [`${name}-arm64`, `${name}-x64`]),
    ];
    for (const name of tools) {
      const path = `node_modules/${name}`;
      expect(lock.packages[path]).toMatchObject({ version: ours.packages[path]?.version });
      expect(lock.packages[path]?.integrity).toBe(ours.packages[path]?.integrity);
      expect(lock.packages[path]?.integrity).toMatch(/^sha512-/);
    }
  });

  it("of code-interpreter has one machine's packages, each with its version", () => {
    const lines = readFileSync(join(contextOf("code-interpreter"), "requirements.txt"), "utf8")
      .trim()
      .split("\n");
    expect(lines.filter((line) => !/^[a-z0-9-]+==[0-9.]+$/.test(line))).toEqual([]);
    expect(lines.map((line) => line.split("==")[0])).toEqual(expect.arrayContaining(["numpy", "pandas", "matplotlib"]));
  });
});

describe.each(names)("the Dockerfile of %s", (name) => {
  it("takes every image by tag and digest, from the public registry of AWS", () => {
    const stages = stagesOf(dockerfileOf(name));
    const own = stages.map((stage) => stage.name);
    const foreign = stages.map(({ image }) => image).filter((image) => image !== "scratch" && !own.includes(image));
    expect(foreign.length).toBeGreaterThan(0);
    for (const image of foreign) {
      expect(image).toMatch(/^public\.ecr\.aws\/docker\/library\/[a-z]+:[\w.-]*\d[\w.-]*@sha256:[0-9a-f]{64}$/);
      // glibc: native programs and wheels are made for it.
      expect(image).toContain("bookworm");
    }
  });

  it("copies only what is in its context, and fetches nothing by address", () => {
    const instructions = stagesOf(dockerfileOf(name)).flatMap((stage) => stage.instructions);
    const sources = instructions.flatMap(contextSources);
    expect(sources.filter((source) => !existsSync(join(contextOf(name), source)))).toEqual([]);
    expect(sources.length).toBeGreaterThan(0);
    expect(instructions.filter((one) => one.name === "ADD")).toEqual([]);
    expect(instructions.filter(({ text }) => /https?:\/\/|curl +-|wget +/.test(text))).toEqual([]);
  });

  it("takes no build argument and no secret, so that none can stay in a layer", () => {
    const instructions = stagesOf(dockerfileOf(name)).flatMap((stage) => stage.instructions);
    expect(instructions.filter((one) => one.name === "ARG" || one.text.includes("--mount=type=secret"))).toEqual([]);
    expect(instructions.filter((one) => one.name === "ENV" && /secret|token|password|_key/i.test(one.text))).toEqual(
      [],
    );
  });

  it("says who it runs as and what it starts, without a shell between", () => {
    const stages = stagesOf(dockerfileOf(name));
    // Of code-interpreter both stand in the stage that it goes on from.
    const all = [...stages.filter((stage) => stage.name === "base"), lastOf(stages)].flatMap((one) => one.instructions);
    const user = all.findLast((one) => one.name === "USER")?.text;
    expect(user).toBe(name === "edge" ? "65532:65532" : "0:0");
    expect(all.findLast((one) => one.name === "ENTRYPOINT")?.text).toMatch(/^\["\/[^"]+"\]$/);
  });
});

describe("the image of the template base", () => {
  const instructions = () => stagesOf(dockerfileOf("base")).flatMap((stage) => stage.instructions);

  it("has accounts where the entry point writes them, by links that container runtimes follow", () => {
    const links = instructions().flatMap(({ text }) => [...text.matchAll(/ln -s (\S+) (\S+)/g)]);
    expect(links.map(([, target, link]) => [link, target])).toEqual(
      expect.arrayContaining([
        ["/etc/passwd", "../run/bulkhead/etc/passwd"],
        ["/etc/group", "../run/bulkhead/etc/group"],
      ]),
    );
    // containerd 2.2 calls an absolute one an escape and starts no container (containerd/containerd#12683).
    expect(links.filter(([, target = ""]) => target.startsWith("/"))).toEqual([]);
  });

  it("tries the programs that it got from elsewhere, and those that the entry point starts", () => {
    const [, command = ""] = readFileSync(join(contextOf("base"), "entrypoint.sh"), "utf8").split("\nexec ");
    const started = command.match(/\/\S+\/bin\/\S+/g) ?? [];
    expect(started).toEqual(["/usr/bin/setpriv", "/usr/bin/prlimit", "/opt/bulkhead/bin/node"]);
    const tried = instructions().find(({ text }) => text.includes("--version"))?.text;
    for (const program of [...started, "/opt/bulkhead/bin/esbuild"]) expect(tried).toContain(`${program} --version`);
    expect(tried).toContain("/opt/bulkhead/lib/pty.node");
  });
});

describe("the image of the edge", () => {
  it("begins empty: no shell, no package manager", () => {
    const last = lastOf(stagesOf(dockerfileOf("edge")));
    expect(last.image).toBe("scratch");
    expect(last.instructions.some((one) => one.name === "RUN")).toBe(false);
  });

  it("holds both programs, which say what they miss when they are started without settings", () => {
    for (const program of ["gateway", "egress-proxy"]) {
      const { status, stderr } = spawnSync(process.execPath, [join(contextOf("edge"), `${program}.mjs`)], {
        env: {},
        encoding: "utf8",
      });
      expect(status).toBe(1);
      expect(stderr).toContain("BULKHEAD_TABLE");
    }
  });
});

/** Contexts that need no build. */
function contexts(content = ""): string {
  const made = mkdtempSync(join(directory, "contexts-"));
  for (const name of names) {
    mkdirSync(join(made, name));
    writeFileSync(join(made, name, "Dockerfile"), `FROM scratch\n# ${name} ${content}\n`);
  }
  return made;
}

function platformImages(context: Record<string, unknown> = {}, from = contexts()) {
  const { app, config, state } = foundation(context);
  const stack = new Stack(app, "images");
  const images = new PlatformImages(stack, "Images", { config, state, contexts: from });
  return { stack, images, template: Template.fromStack(stack) };
}

const digest = (name: string) => `123456789012.dkr.ecr.us-east-1.amazonaws.com/${name}@sha256:${"a".repeat(64)}`;

describe("images built during the deployment", () => {
  const { stack, images, template } = platformImages();
  const builds = resourcesOf(template, "Custom::CDKContainerImageBuild");
  const project = theResource(template, "AWS::CodeBuild::Project");

  it("are those of the templates and of the edge, for arm64", () => {
    expect(Object.keys(images.templates)).toEqual(["base", "code-interpreter"]);
    expect(builds).toHaveLength(3);
    for (const { properties } of builds) {
      expect(properties["buildCommand"]).toContain("--platform linux/arm64");
    }
  });

  it("go into the state's repository, under tags that follow from their content alone", () => {
    const tagsOf = (from: Template) =>
      resourcesOf(from, "Custom::CDKContainerImageBuild").map(({ properties }) => String(properties["imageTag"]));
    const tags = tagsOf(template);
    for (const tag of tags) expect(tag).toMatch(/^(base|code-interpreter|edge)-[0-9a-f]{32}$/);
    expect(tagsOf(platformImages().template)).toEqual(tags);
    expect(tagsOf(platformImages({}, contexts("changed")).template)).not.toContain(tags[0]);
    expect(template.findResources("AWS::ECR::Repository")).toEqual({});
    expect(flat(stack.resolve(images.edge))).toMatch(/:\$\{Imagesedge\w+\.ImageTag\}$/);
  });

  it("need rights to one repository and to one log group, encrypted and without AWS managed policies", () => {
    for (const { properties } of resourcesOf(template, "AWS::IAM::Role")) {
      expect(properties["ManagedPolicyArns"]).toBeUndefined();
    }
    const statements = resourcesOf(template, "AWS::IAM::Policy").flatMap(({ properties }) =>
      statementsOf(properties["PolicyDocument"]),
    );
    const everywhere = statements.filter((statement) => statement.Resource === "*").flatMap(actionsOf);
    expect(everywhere.sort()).toEqual([
      "ecr-public:GetAuthorizationToken",
      "ecr:GetAuthorizationToken",
      "sts:GetServiceBearerToken",
    ]);
    expect(statements.flatMap(actionsOf).filter((action) => action.includes("*"))).toEqual([]);
    const log = theResource(template, "AWS::Logs::LogGroup");
    expect(log.properties["KmsKeyId"]).toBeDefined();
    expect(project.properties["LogsConfig"]).toEqual({
      CloudWatchLogs: { GroupName: { Ref: log.id }, Status: "ENABLED" },
    });
    expect(theResource(template, "AWS::Lambda::Function").properties["LoggingConfig"]).toEqual({
      LogGroup: { Ref: log.id },
    });
    expect(log.deletionPolicy).toBe("Delete");
  });

  it("leave cdk-nag without a finding", () => {
    expect(unacknowledgedFindings(stack)).toEqual([]);
  });

  it("ask for a build first when there is no context", () => {
    expect(() => platformImages({}, join(directory, "nowhere"))).toThrow("npm run build");
  });
});

describe("the report of a build", () => {
  it.each([
    ["1", "SUCCESS"],
    ["0", "FAILED"],
  ])("with CODEBUILD_BUILD_SUCCEEDING=%s is JSON that CloudFormation can read: %s", (succeeding, status) => {
    const { template } = platformImages();
    const { Source } = theResource(template, "AWS::CodeBuild::Project").properties as { Source: { BuildSpec: string } };
    const spec = JSON.parse(Source.BuildSpec) as { phases: Record<string, { commands: string[] }> };
    const script = (spec.phases["post_build"]?.commands ?? []).join("\n").replace(/^curl .*$/m, "cat answer.json");
    const place = mkdtempSync(join(directory, "report-"));
    const env = { PATH: process.env["PATH"], CODEBUILD_BUILD_SUCCEEDING: succeeding, CODEBUILD_BUILD_ID: "p:1" };
    const ids = { imageTag: "base-1", stackId: "arn:stack", requestId: "r", logicalResourceId: "l", responseURL: "u" };
    const { stdout } = spawnSync("sh", ["-c", script], { cwd: place, env: { ...env, ...ids }, encoding: "utf8" });
    expect(JSON.parse(stdout)).toEqual({
      Status: status,
      Reason: "Image base-1: see p:1 in CodeBuild",
      StackId: "arn:stack",
      RequestId: "r",
      LogicalResourceId: "l",
      PhysicalResourceId: "base-1",
      Data: { ImageTag: "base-1" },
    });
  });
});

describe("images given by digest", () => {
  it("are taken as they are; nothing is built and nothing is needed to build", () => {
    const given = { images: { base: digest("base"), "code-interpreter": digest("ci") }, edgeImage: digest("edge") };
    const { app, config, state } = foundation(given);
    const stack = new Stack(app, "images");
    const images = new PlatformImages(stack, "Images", { config, state, contexts: join(directory, "nowhere") });
    expect(images.templates).toEqual(given.images);
    expect(images.edge).toBe(given.edgeImage);
    expect(stack.node.findAll().filter((child) => CfnElement.isCfnElement(child))).toEqual([]);
  });

  it("stand beside built ones", () => {
    const { images, template } = platformImages({ images: { base: digest("base"), own: digest("own") } });
    expect(images.templates).toMatchObject({ base: digest("base"), own: digest("own") });
    const built = resourcesOf(template, "Custom::CDKContainerImageBuild").map(
      ({ properties }) => properties["imageTag"],
    );
    expect(built.map((tag) => String(tag).replace(/-[0-9a-f]+$/, ""))).toEqual(["code-interpreter", "edge"]);
  });
});
