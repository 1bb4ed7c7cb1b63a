import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerDefinition } from "@aws-sdk/client-ecs";
import { build } from "esbuild";
import { buildImages } from "../../../scripts/build-images.mjs";

const root = join(import.meta.dirname, "../../..");

/** What Fargate leaves a container when nothing is dropped (Docker's own list). */
const granted = [
  ...["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW"],
  ...["SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"],
];

export interface Container {
  readonly port: number;
  readonly output: () => string;
  readonly exited: Promise<number | null>;
  stop(): Promise<void>;
}

/** The build context of `base` with a freshly bundled agent, laid out as its Dockerfile does. */
export class ImageRoot {
  readonly directory = mkdtempSync(join(tmpdir(), "bulkhead-image-"));

  async prepare(): Promise<void> {
    await build({
      entryPoints: [join(root, "src/agent/main.ts")],
      ...{ bundle: true, platform: "node", format: "cjs", target: "node20", logLevel: "error" },
      outfile: join(this.directory, "agent.cjs"),
    });
    await buildImages({ dist: this.directory });
    const context = join(this.directory, "images/base");
    const opt = join(this.directory, "opt");
    mkdirSync(join(opt, "bin"), { recursive: true });
    writeFileSync(join(opt, "bin/node"), "");
    for (const name of ["agent.cjs", "entrypoint.sh", "python"]) {
      cpSync(join(context, name), join(opt, name), { recursive: true });
    }
    cpSync(join(context, "lib"), join(opt, "lib"), { recursive: true });
    cpSync(join(context, "proxy-connect"), join(opt, "bin/proxy-connect"));
    chmodSync(join(opt, "bin/proxy-connect"), 0o755);
    const etc = join(this.directory, "etc");
    mkdirSync(join(etc, "ssh"), { recursive: true });
    cpSync(join(context, "ssh_config"), join(etc, "ssh/ssh_config"));
    this.addCertificates(opt, etc);
    for (const name of ["passwd", "group"]) symlinkSync(`../run/bulkhead/etc/${name}`, join(etc, name));
  }

  /** As the Dockerfile leaves them: the image's own beside a link to what the entry point writes. */
  private addCertificates(opt: string, etc: string): void {
    cpSync("/etc/ssl/certs", join(opt, "certs"), { recursive: true, verbatimSymlinks: true });
    mkdirSync(join(etc, "ssl"));
    symlinkSync("../../run/bulkhead/etc/certs", join(etc, "ssl/certs"));
    if (existsSync("/etc/ssl/openssl.cnf")) cpSync("/etc/ssl/openssl.cnf", join(etc, "ssl/openssl.cnf"));
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Runs the image's entry point as Fargate would run the container: read-only root, its volumes and its capabilities. */
  async run(definition: ContainerDefinition, variables: Readonly<Record<string, string>> = {}): Promise<Container> {
    const port = await freePort();
    // Tests call the agent from its own machine, which its task's neighbours never do.
    const given = (definition.environment ?? []).filter(({ name }) => name !== "BULKHEAD_AGENT_CALLERS");
    const env: Record<string, string> = {
      ...Object.fromEntries(given.map(({ name = "", value = "" }) => [name, value])),
      BULKHEAD_AGENT_PORT: String(port),
      ...variables,
    };
    const dropped = definition.linuxParameters?.capabilities?.drop ?? [];
    const kept = granted.filter((name) => !dropped.includes(name));
    const child = spawn(
      "bwrap",
      [
        ...["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"],
        ...["--cap-drop", "ALL", ...kept.flatMap((name) => ["--cap-add", `CAP_${name}`])],
        ...["--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib"],
        ...["--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev"],
        ...["--ro-bind", join(this.directory, "etc"), "/etc"],
        ...["--dir", "/opt", "--ro-bind", join(this.directory, "opt"), "/opt/bulkhead"],
        ...["--ro-bind", process.execPath, "/opt/bulkhead/bin/node"],
        ...this.volumes(definition, env["BULKHEAD_USER_UID"] ?? ""),
        ...["--remount-ro", "/", "--chdir", "/workspace", "--clearenv"],
        ...["--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin"],
        ...Object.entries(env).flatMap(([name, value]) => ["--setenv", name, value]),
        "--",
        "/opt/bulkhead/entrypoint.sh",
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    return watched(child, port);
  }

  /** As they come: the instance's own directory is its uid's, scratch volumes are root's. */
  private volumes(definition: ContainerDefinition, uid: string): string[] {
    const workspace = mkdtempSync(join(this.directory, "workspace-"));
    if (/^\d+$/.test(uid)) chownSync(workspace, Number(uid), Number(uid));
    return (definition.mountPoints ?? []).flatMap(({ containerPath = "" }) =>
      containerPath === "/workspace"
        ? ["--bind", workspace, containerPath]
        : ["--perms", "0755", "--tmpfs", containerPath],
    );
  }
}

function watched(child: ChildProcess, port: number): Container {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  }
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    port,
    output: () => output,
    exited,
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
