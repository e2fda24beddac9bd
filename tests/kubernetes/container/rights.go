package container

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Capabilities in the order of their numbers, from zero on (linux/capability.h).
var capabilities = []string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
	"SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
	"IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
	"SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
	"LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
	"WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
}

// What containers have when nothing else is said, as with containerd.
var usual = []string{
	"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
	"SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
}

// Capabilities tells what a container has that drops and adds these; `ALL` stands for all.
func Capabilities(drop, add []string) []string {
	kept := usual
	if slices.Contains(drop, "ALL") {
		kept = nil
	}
	if slices.Contains(add, "ALL") {
		kept = capabilities
	}
	var result []string
	for _, name := range capabilities {
		has := slices.Contains(kept, name) && !slices.Contains(drop, name)
		if has || slices.Contains(add, name) {
			result = append(result, name)
		}
	}
	return result
}

// All is every capability there is.
func All() []string { return slices.Clone(capabilities) }

// Gives up what the container is not to have. What is bounded is gone with the next program: root
// has what the bounds leave, and anybody else nothing but what a file gives within them, as in
// real containers.
func (r *Rights) take() error {
	for number, name := range capabilities {
		if slices.Contains(r.Capabilities, name) {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(number), 0, 0, 0)
		// An older kernel does not know all of them.
		if err != nil && err != unix.EINVAL {
			return fmt.Errorf("cannot drop %s: %w", name, err)
		}
	}
	if err := unix.Setgroups(r.Groups); err != nil {
		return err
	}
	if err := unix.Setresgid(r.Group, r.Group, r.Group); err != nil {
		return err
	}
	if err := unix.Setresuid(r.User, r.User, r.User); err != nil {
		return err
	}
	if r.NoNewPrivileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
	}
	// A change of user made the kernel forget that this ends with who started it.
	return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
}
