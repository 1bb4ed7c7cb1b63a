#!/usr/bin/python3
"""Writes src/local/seccomp/{x86_64,aarch64}.bpf, the filter every sandbox process runs under.

A deny list: everything is allowed but the syscalls below, which no program in a sandbox needs and which widen the
kernel surface that untrusted code can reach. Needs python3-seccomp (libseccomp); only for generation:

    apt-get install python3-seccomp && /usr/bin/python3 scripts/seccomp/generate.py

ptrace stays allowed: debuggers and crash handlers use it, and the kernel lets a process trace only its own uid's
processes without more capabilities, so user code cannot reach the agent in the two-uid tier. process_vm_readv/writev go
away because nothing of ours needs them.
"""

import errno
import pathlib
import socket

import seccomp
from seccomp import Arg, ERRNO, MASKED_EQ

NAMESPACE_FLAGS = {
    "CLONE_NEWTIME": 0x00000080,
    "CLONE_NEWNS": 0x00020000,
    "CLONE_NEWCGROUP": 0x02000000,
    "CLONE_NEWUTS": 0x04000000,
    "CLONE_NEWIPC": 0x08000000,
    "CLONE_NEWUSER": 0x10000000,
    "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWNET": 0x40000000,
}
# clone() keeps the exit signal in the low byte, so CLONE_NEWTIME cannot be asked for there (unshare and clone3 only).
CLONE_FLAGS = {name: bit for name, bit in NAMESPACE_FLAGS.items() if name != "CLONE_NEWTIME"}

DENIED = """
mount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr
unshare setns bpf perf_event_open keyctl add_key request_key userfaultfd
process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd
open_by_handle_at name_to_handle_at fanotify_init
init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff
acct quotactl quotactl_fd nfsservctl lookup_dcookie syslog vhangup sethostname setdomainname
settimeofday clock_settime clock_adjtime adjtimex stime
iopl ioperm modify_ldt vm86 vm86old uselib
move_pages migrate_pages mbind set_mempolicy set_mempolicy_home_node
""".split()

# Too new for this libseccomp to know by name; numbers from 424 on are the same on all architectures.
UNNAMED = [467]  # open_tree_attr

# Programs test for these at start and have a fallback for "not there", so ENOSYS and not EPERM.
ABSENT = ["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"]

TIOCSTI, TIOCLINUX = 0x5412, 0x541C
ALLOWED_FAMILIES = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
HIGHEST_FAMILY = 64


def deny(rules, name, *args, code=errno.EPERM):
    """Adds a rule; a syscall unknown to this architecture or libseccomp version cannot be called by name and is skipped."""
    try:
        rules.add_rule(ERRNO(code), name, *args)
    except (RuntimeError, OSError, ValueError):
        pass


def build(arch):
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    if arch != seccomp.Arch():
        rules.remove_arch(seccomp.Arch())
        rules.add_arch(arch)
    for name in DENIED:
        deny(rules, name)
    for number in UNNAMED:
        deny(rules, number)
    for name in ABSENT:
        deny(rules, name, code=errno.ENOSYS)
    for bit in CLONE_FLAGS.values():
        deny(rules, "clone", Arg(0, MASKED_EQ, bit, bit))
    for request in (TIOCSTI, TIOCLINUX):
        # The kernel reads 32 bits of the request; a caller can set the upper ones.
        deny(rules, "ioctl", Arg(1, MASKED_EQ, 0xFFFFFFFF, request))
    for family in range(HIGHEST_FAMILY):
        if family not in ALLOWED_FAMILIES:
            for call in ("socket", "socketpair"):
                deny(rules, call, Arg(0, MASKED_EQ, 0xFFFFFFFF, family), code=errno.EAFNOSUPPORT)
    return rules


def main():
    out = pathlib.Path(__file__).resolve().parents[2] / "src/local/seccomp"
    out.mkdir(parents=True, exist_ok=True)
    for name, arch in (("x86_64", seccomp.Arch.X86_64), ("aarch64", seccomp.Arch.AARCH64)):
        with open(out / f"{name}.bpf", "wb") as file:
            build(seccomp.Arch(arch)).export_bpf(file)
        print(name, (out / f"{name}.bpf").stat().st_size // 8, "instructions")


if __name__ == "__main__":
    main()
