import { join } from "node:path";
import { attack, attackCommand } from "#test/e2e/support/attacks.ts";
import { attemptsOf, judged } from "../attempt.ts";
import type { HostileWorld } from "../world.ts";

const escapes = /root:[x*]:0:0/;

/** Reads and writes by the file API through links that lead out. @returns what was reached */
async function linksOut({ attacker }: HostileWorld): Promise<string[]> {
  await attacker.commands.run(
    "cd /workspace && ln -sfn /etc etc && ln -sfn / root && ln -sfn /etc/passwd passwd && ln -sfn /proc/1/environ environ && ln -sfn /opt opt && ln -sfn loop loop",
  );
  const paths = [
    "etc/passwd",
    "root/etc/passwd",
    "passwd",
    "environ",
    "../etc/passwd",
    "./../../etc/passwd",
    "loop",
    "%2e%2e/etc/passwd",
    "root/proc/self/environ",
    "x/../../etc/passwd",
  ];
  const reached: string[] = [];
  for (const path of paths) {
    for (const read of [
      () => attacker.files.read(`/workspace/${path}`),
      async () => (await attacker.files.readBytes(`/workspace/${path}`)).toString(),
    ]) {
      if ((await read().catch(() => "")) !== "") reached.push(`read ${path}`);
    }
    const written = await attacker.files.write(`/workspace/${path}.new`, "x").then(
      () => true,
      () => false,
    );
    if (written && path.includes("/") && !path.startsWith("%")) reached.push(`write ${path}`);
  }
  for (const directory of ["/workspace/etc", "/workspace/root", "/etc", "/workspace/.."]) {
    if ((await attacker.files.list(directory).catch(() => [])).length > 0) reached.push(`list ${directory}`);
    const made = await attacker.files.mkdir(`${directory}/made`).then(
      () => true,
      () => false,
    );
    if (made) reached.push(`mkdir ${directory}`);
  }
  return reached;
}

export const attempts = attemptsOf("files", [
  {
    tried: "host files: shadow, /root, data directory, API key",
    must: "none of them is there",
    run: ({ attacker, platform }) =>
      attack(attacker, "host_files", [
        platform.home,
        join(platform.home, "api-key"),
        join(platform.home, "database"),
        "/root/.ssh",
      ]),
  },
  {
    tried: "links and dots out of the roots through the file API (path traversal)",
    must: "refused",
    async run(world) {
      const reached = await linksOut(world);
      return judged(
        reached.length === 0,
        reached.join(", ") || "of 10 paths, 4 lists and 4 directories nothing was reached",
      );
    },
  },
  {
    tried: "a directory swapped for a link while the file API reads through it",
    must: "no read leaves the roots",
    async run({ attacker }) {
      const swapping = attacker.commands.run(attackCommand("symlink_swap", ["6"]), { timeout: 30 });
      const state = { done: false, reads: 0, leaked: 0 };
      const finished = swapping.then(() => {
        state.done = true;
      });
      while (!state.done) {
        const text = await attacker.files.read("/workspace/swap/real/passwd").catch(() => "");
        state.reads += 1;
        if (escapes.test(text)) state.leaked += 1;
      }
      await finished;
      await attacker.commands.run("rm -rf /workspace/swap");
      return judged(state.leaked === 0 && state.reads > 0, `${state.leaked} of ${state.reads} reads left the roots`);
    },
  },
  {
    tried: "a device, a setuid program and a hard link to a file of another user",
    must: "not permitted, or without effect",
    async run({ attacker, shell }) {
      const seen = await shell(
        attacker,
        "cd /workspace; mknod dev b 8 0 2>&1; mknod mem c 1 1 2>&1; ln /etc/passwd hard 2>&1; cp /bin/bash sbash && chmod u+s sbash && ./sbash -p -c 'id -u'; ls dev mem hard 2>/dev/null; grep -o 'nosuid' /proc/self/mountinfo | head -1",
      );
      return judged(!/^(dev|mem|hard)$/m.test(seen) && !/^0$/m.test(seen), seen);
    },
  },
  {
    tried: "an upload whose file name leads out of its directory",
    must: "refused, or kept below the directory",
    async run({ attacker, shell }) {
      const { publicHost } = await attacker.getInfo();
      const seen: number[] = [];
      for (const name of ["../../etc/evil", "/etc/evil", "..\\..\\evil", "a/../../../tmp/evil-out"]) {
        const form = new FormData();
        form.set("file", new Blob(["x"]), name);
        form.set("path", `/workspace/${name}`);
        const answer = await fetch(`${publicHost}/files/upload`, {
          method: "POST",
          headers: { authorization: `Bearer ${await attacker.getToken()}` },
          body: form,
        });
        seen.push(answer.status);
      }
      const out = await shell(attacker, "ls /etc/evil /tmp/evil-out /evil 2>/dev/null; true");
      return judged(
        out.trim() === "" || out.trim() === "/tmp/evil-out",
        `answers ${seen.join(", ")}; outside of its directory: ${out.trim() || "nothing"}`,
      );
    },
  },
]);
