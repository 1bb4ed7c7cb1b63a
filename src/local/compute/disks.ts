import { access, chmod, chown, mkdir, readdir, realpath, rename, rmdir, unlink } from "node:fs/promises";
import { BulkheadError } from "#contracts/errors.ts";
import { repairIfUnclean } from "./disk-check.ts";
import { awaitDetached } from "./loop-devices.ts";
import { unmount } from "./mounts.ts";
import type { RunCommand } from "./run-command.ts";

/**
 * Fixed-size ext4 images mounted through loop devices. The image itself is never visible inside. One that an instance uses has the
 * instance's name; a kept one has its disk's id, in a directory of its own, so that nothing that ends instances can meet it.
 */
export interface Disks {
  /** Makes, mounts and hands the disk's root directory to `owner`. */
  create(name: string, sizeMb: number, mountPoint: string, owner: { uid: number; gid: number }): Promise<void>;
  /** Unmounts and deletes; succeeds when there is nothing. */
  remove(name: string, mountPoint: string): Promise<void>;
  /** Names of all images in use, left over ones too. */
  list(): Promise<readonly string[]>;
  /** Unmounts and puts away under `diskId`. Safe to repeat. @throws Error when something still holds the disk: it is not kept then */
  keep(name: string, mountPoint: string, diskId: string): Promise<void>;
  /** Takes a kept disk out again and mounts it, the files as they were; when it throws, `keep` puts it back. */
  reopen(diskId: string, name: string, mountPoint: string): Promise<void>;
  /** Deletes a kept disk; succeeds when there is none. */
  removeKept(diskId: string): Promise<void>;
}

/** Where kept images are, below the directory of images. */
export const keptDirectory = "kept";

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

/** @returns whether it was there */
async function ifThere(step: Promise<void>): Promise<boolean> {
  try {
    await step;
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    return false;
  }
}

/** `directory` must be readable by root only: whoever writes an image that gets mounted attacks the kernel. */
export function makeDisks(run: RunCommand, directory: string): Disks {
  const templates = new Map<number, Promise<string>>();
  const imageOf = (name: string): string => `${directory}/${name}.img`;
  const keptOf = (diskId: string): string => `${directory}/${keptDirectory}/${diskId}.img`;

  /** A formatted, empty disk: copying it takes a fifth of formatting one. */
  async function makeTemplate(sizeMb: number): Promise<string> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
    const path = `${directory}/template-${sizeMb}.ext4`;
    const unfinished = `${path}.new`;
    const mountPoint = `${directory}/template-${sizeMb}.mnt`;
    await ifThere(unlink(unfinished));
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
      await ifThere(unlink(imageOf(name)));
      if (failure !== null) throw new Error(`cannot unmount ${mountPoint}: ${failure}`);
    },
    async list() {
      const names = await readdir(directory).catch(() => []);
      return names.filter((name) => name.endsWith(".img")).map((name) => name.slice(0, -".img".length));
    },
    async keep(name, mountPoint, diskId) {
      const failure = await unmount(run, mountPoint);
      if (failure !== null) throw new Error(`cannot unmount ${mountPoint}: ${failure}`);
      // Until then its file system may still be written: two mounts of one image would destroy it.
      await awaitDetached(await realpath(imageOf(name)).catch(() => imageOf(name)));
      await mkdir(`${directory}/${keptDirectory}`, { recursive: true, mode: 0o700 });
      if (await ifThere(rename(imageOf(name), keptOf(diskId)))) return;
      await access(keptOf(diskId));
    },
    async reopen(diskId, name, mountPoint) {
      await rename(keptOf(diskId), imageOf(name));
      await repairIfUnclean(run, imageOf(name));
      await mkdir(mountPoint, { recursive: true });
      await must(run, "mount", ["-o", mountOptions, imageOf(name), mountPoint]);
    },
    async removeKept(diskId) {
      await ifThere(unlink(keptOf(diskId)));
    },
  };
}
