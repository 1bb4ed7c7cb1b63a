import { attack } from "#test/e2e/support/attacks.ts";
import { attemptsOf } from "../attempt.ts";

const attacks = [
  ["write /proc/sys/kernel/core_pattern", "core_pattern"],
  ["write anything in /proc/sys", "proc_sys"],
  ["open memory, disks and other devices", "devices"],
  ["hold a capability or gain one by setuid", "capabilities"],
  ["unshare, clone, clone3 and setns", "namespaces"],
  ["mount, remount, pivot_root, chroot", "mounts"],
  ["kernel keyring", "keyring"],
  ["io_uring", "io_uring"],
  ["bpf, perf, userfaultfd, modules, kexec, reboot", "dangerous_calls"],
  ["AF_VSOCK, AF_PACKET, raw and AF_ALG sockets", "vsock"],
  ["TIOCSTI on its own terminal", "tiocsti"],
  ["write the read-only base and /dev", "write_base"],
] as const;

export const attempts = attemptsOf(
  "kernel",
  attacks.map(([tried, name]) => ({
    tried,
    must: "refused by the kernel",
    run: ({ attacker }) => attack(attacker, name),
  })),
);
