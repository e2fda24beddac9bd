package container

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// Process is a container that runs.
type Process struct {
	command *exec.Cmd
	ended   chan struct{}
}

// What is to be started, and where the outcome goes.
type order struct {
	command *exec.Cmd
	outcome chan error
}

var orders = starter()

// The kernel ends children when the thread that started them ends, so one thread that never does
// starts them all: thus they end when this process is killed, and only then.
func starter() chan order {
	orders := make(chan order)
	go func() {
		runtime.LockOSThread()
		for order := range orders {
			order.outcome <- order.command.Start()
		}
	}()
	return orders
}

// Start starts a container; what it prints goes to the file. Its folder is kept for what it needs.
func Start(spec Spec, folder string, output *os.File) (*Process, error) {
	spec.Root = filepath.Join(folder, "root")
	if err := os.MkdirAll(spec.Root, 0o755); err != nil {
		return nil, err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(folder, "container.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	command := exec.Command("/proc/self/exe", "container", file)
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS |
			syscall.CLONE_NEWIPC,
		Pdeathsig: syscall.SIGKILL,
	}
	outcome := make(chan error)
	orders <- order{command, outcome}
	if err := <-outcome; err != nil {
		return nil, err
	}
	process := &Process{command, make(chan struct{})}
	go func() {
		_ = command.Wait()
		close(process.ended)
	}()
	return process, nil
}

// Pid is its process id.
func (p *Process) Pid() int { return p.command.Process.Pid }

// Ended is closed once it has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Signal sends it a signal; none when it has ended.
func (p *Process) Signal(signal syscall.Signal) {
	_ = p.command.Process.Signal(signal)
}

// ExitCode is as containers tell it: 128 and the signal's number when a signal ended it. Valid
// once it has ended.
func (p *Process) ExitCode() int {
	status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.command.ProcessState.ExitCode()
}
