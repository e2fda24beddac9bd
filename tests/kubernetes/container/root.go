package container

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Folders of this machine that are seen inside, read-only: its programs, and what they need.
var shared = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc"}

// Folders that programs expect to be there.
var empty = []string{"/proc", "/sys", "/dev", "/run", "/tmp", "/var/lib", "/var/log", "/root"}

// Devices that every container has.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// Names of what a process has open.
var streams = map[string]string{
	"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0",
	"stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
}

// Kernel settings, which only a privileged container may change.
var settings = []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"}

// Puts the root folder together and moves there. All of it is seen in this mount namespace alone,
// and goes with it.
func build(spec *Spec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("root", spec.Root, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	steps := []func(*Spec) error{folders, kernel, image, volumes, pivot, sealed}
	for _, step := range steps {
		if err := step(spec); err != nil {
			return err
		}
	}
	return nil
}

func folders(spec *Spec) error {
	for _, folder := range empty {
		if err := os.MkdirAll(spec.inside(folder), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(spec.inside("/tmp"), 0o1777); err != nil {
		return err
	}
	// Relative: until the root is pivoted, an absolute one would lead out of it.
	if err := os.Symlink("../run", spec.inside("/var/run")); err != nil {
		return err
	}
	for _, folder := range shared {
		if err := share(spec, folder); err != nil {
			return err
		}
	}
	return nil
}

// A symbolic link stays one: `/bin` is one to `/usr/bin` on most machines.
func share(spec *Spec, folder string) error {
	there, err := os.Lstat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if there.Mode()&fs.ModeSymlink == 0 {
		return bind(Mount{folder, spec.inside(folder), true})
	}
	target, err := os.Readlink(folder)
	if err != nil {
		return err
	}
	return os.Symlink(target, spec.inside(folder))
}

// What the kernel shows: `/sys` is of the network namespace that it is mounted in.
func kernel(spec *Spec) error {
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("proc", spec.inside("/proc"), "proc", flags, ""); err != nil {
		return err
	}
	if spec.Rights.Privileged {
		if err := bind(Mount{"/dev", spec.inside("/dev"), false}); err != nil {
			return err
		}
		return unix.Mount("sysfs", spec.inside("/sys"), "sysfs", flags, "")
	}
	for _, file := range settings {
		// Not every kernel has all of them.
		err := bind(Mount{spec.inside(file), spec.inside(file), true})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, device := range devices {
		path := "/dev/" + device
		if err := bind(Mount{path, spec.inside(path), false}); err != nil {
			return err
		}
	}
	for name, target := range streams {
		if err := os.Symlink(target, spec.inside("/dev/"+name)); err != nil {
			return err
		}
	}
	return unix.Mount("sysfs", spec.inside("/sys"), "sysfs", flags|unix.MS_RDONLY, "")
}

func image(spec *Spec) error {
	return bind(Mount{spec.Image.Program, spec.inside(spec.Image.Entry), true})
}

func volumes(spec *Spec) error {
	for _, mount := range spec.Mounts {
		mount.Target = spec.inside(mount.Target)
		if err := bind(mount); err != nil {
			return err
		}
	}
	return nil
}

func pivot(spec *Spec) error {
	old := spec.inside("/old")
	if err := os.Mkdir(old, 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(spec.Root, old); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/old", unix.MNT_DETACH); err != nil {
		return err
	}
	return os.Remove("/old")
}

func sealed(spec *Spec) error {
	if !spec.Rights.ReadOnlyRoot {
		return nil
	}
	return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
}

func (s *Spec) inside(path string) string {
	return filepath.Join(s.Root, path)
}

// Shows a file or folder somewhere else too; what it is to cover is made where it is not there.
func bind(mount Mount) error {
	if err := cover(mount); err != nil {
		return err
	}
	if err := unix.Mount(mount.Source, mount.Target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return &fs.PathError{Op: "bind " + mount.Source, Path: mount.Target, Err: err}
	}
	if !mount.ReadOnly {
		return nil
	}
	// Of the whole tree, which a remount would not do.
	attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	return unix.MountSetattr(unix.AT_FDCWD, mount.Target, unix.AT_RECURSIVE, &attributes)
}

func cover(mount Mount) error {
	source, err := os.Stat(mount.Source)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(mount.Target); err == nil {
		return nil
	}
	if source.IsDir() {
		return os.MkdirAll(mount.Target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(mount.Target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(mount.Target, nil, 0o644)
}
