package container

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Run becomes the program of the container that the file describes. It must be the first process
// of its namespaces.
func Run(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("usage: container FILE")
	}
	text, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	var spec Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		return err
	}
	// A network namespace, and rights, are a thread's own until it becomes the program.
	runtime.LockOSThread()
	if err := enter(spec.Network); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return err
	}
	if err := build(&spec); err != nil {
		return err
	}
	if err := os.Chdir(directory(spec.Directory)); err != nil {
		return err
	}
	if err := spec.Rights.take(); err != nil {
		return err
	}
	return become(&spec)
}

func enter(network string) error {
	if network == "" {
		return nil
	}
	file, err := os.Open(network)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
}

func directory(wanted string) string {
	if wanted == "" {
		return "/"
	}
	return wanted
}

func become(spec *Spec) error {
	command := spec.Command
	if len(command) == 0 {
		command = []string{spec.Image.Entry}
	}
	program, err := find(command[0], spec.Environment)
	if err != nil {
		return err
	}
	return syscall.Exec(program, command, spec.Environment)
}

// Finds a program as a shell does, by the PATH of the container.
func find(name string, environment []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, variable := range environment {
		path, ok := strings.CutPrefix(variable, "PATH=")
		if !ok {
			continue
		}
		for _, folder := range filepath.SplitList(path) {
			if file := filepath.Join(folder, name); unix.Access(file, unix.X_OK) == nil {
				return file, nil
			}
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}
