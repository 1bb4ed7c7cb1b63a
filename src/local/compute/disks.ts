import { chmod, chown, mkdir, readdir, rename, rmdir, unlink } from "node:fs/promises";
import { BulkheadError } from "#contracts/errors.ts";
import { unmount } from "./mounts.ts";
import type { RunCommand } from "./run-command.ts";

/** Fixed-size ext4 images, one per instance, mounted through a loop device. The image itself is never visible inside. */
export interface Disks {
  /** Makes, mounts and hands the disk's root directory to `owner`. */
  create(name: string, sizeMb: number, mountPoint: string, owner: { uid: number; gid: number }): Promise<void>;
  /** Unmounts and deletes; succeeds when there is nothing. */
  remove(name: string, mountPoint: string): Promise<void>;
  /** Names of all images, left over ones too. */
  list(): Promise<readonly string[]>;
}

const mountOptions = "loop,nosuid,nodev,noatime,noinit_itable";
const makeOptions = ["-q", "-F", "-m", "0", "-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard"];

async function must(run: RunCommand, program: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await run(program, args);
  if (code !== 0) {
    throw new BulkheadError(
      "SERVICE_UNAVAILABLE",
      "The host could not prepare the sandbox's disk. See the platform's log.",
      {
        cause: new Error(`${program} ${args.join(" ")}: ${stderr.trim()}`),
      },
    );
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  });
}

/** `directory` must be readable by root only: whoever writes an image that gets mounted attacks the kernel. */
export function makeDisks(run: RunCommand, directory: string): Disks {
  const templates = new Map<number, Promise<string>>();
  const imageOf = (name: string): string => `${directory}/${name}.img`;

  /** A formatted, empty disk: copying it takes a fifth of formatting one. */
  async function makeTemplate(sizeMb: number): Promise<string> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
    const path = `${directory}/template-${sizeMb}.ext4`;
    const unfinished = `${path}.new`;
    const mountPoint = `${directory}/template-${sizeMb}.mnt`;
    await unlinkIfThere(unfinished);
    await must(run, "truncate", ["-s", `${sizeMb}M`, unfinished]);
    await must(run, "mkfs.ext4", [...makeOptions, unfinished]);
    await mkdir(mountPoint, { recursive: true });
    await must(run, "mount", ["-o", mountOptions, unfinished, mountPoint]);
    try {
      await rmdir(`${mountPoint}/lost+found`);
    } finally {
      await unmount(run, mountPoint);
    }
    await rmdir(mountPoint);
    await rename(unfinished, path);
    return path;
  }

  function templateFor(sizeMb: number): Promise<string> {
    const known = templates.get(sizeMb);
    if (known !== undefined) return known;
    const made = makeTemplate(sizeMb);
    templates.set(sizeMb, made);
    made.catch(() => templates.delete(sizeMb));
    return made;
  }

  return {
    async create(name, sizeMb, mountPoint, owner) {
      const template = await templateFor(sizeMb);
      await mkdir(mountPoint, { recursive: true });
      const script = 'cp --sparse=always "$1" "$2" && exec mount -o "$3" "$2" "$4"';
      await must(run, "sh", ["-c", script, "sh", template, imageOf(name), mountOptions, mountPoint]);
      await chown(mountPoint, owner.uid, owner.gid);
      await chmod(mountPoint, 0o755);
    },
    async remove(name, mountPoint) {
      const failure = await unmount(run, mountPoint);
      await unlinkIfThere(imageOf(name));
      if (failure !== null) throw new Error(`cannot unmount ${mountPoint}: ${failure}`);
    },
    async list() {
      const names = await readdir(directory).catch(() => []);
      return names.filter((name) => name.endsWith(".img")).map((name) => name.slice(0, -".img".length));
    },
  };
}
