package kubelet

import (
	"context"
	"os/exec"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	prober "k8s.io/kubernetes/pkg/probe/http"
	"steelyard.dev/tests/kubernetes/container"
)

// Runs a hook of a container while its process does, for this long at most. A hook that fails is
// no reason not to go on.
func (r *running) hook(
	process *container.Process, hook *corev1.LifecycleHandler, limit time.Duration,
) {
	ctx, cancel := context.WithTimeout(r.pod.ctx, limit)
	defer cancel()
	go func() {
		select {
		case <-process.Ended():
			cancel()
		case <-ctx.Done():
		}
	}()
	var err error
	switch {
	case hook.Sleep != nil:
		sleep(ctx, time.Duration(hook.Sleep.Seconds)*time.Second)
	case hook.Exec != nil:
		err = r.inside(ctx, process, hook.Exec.Command)
	case hook.HTTPGet != nil:
		request, wrong := prober.NewRequestForHTTPGetAction(
			hook.HTTPGet, r.spec, r.pod.address(), "lifecycle")
		if err = wrong; err == nil {
			overHTTPIs(request, limit)
		}
	}
	if err != nil {
		klog.ErrorS(err, "A hook failed", "container", r.spec.Name)
	}
}

// Runs a program within a container.
func (r *running) inside(ctx context.Context, process *container.Process, command []string) error {
	spec, err := r.container(ctx)
	if err != nil {
		return err
	}
	arguments := []string{
		"--target", strconv.Itoa(process.Pid()), "--mount", "--uts", "--ipc", "--net", "--pid", "--",
	}
	program := exec.CommandContext(ctx, "nsenter", append(arguments, command...)...)
	program.Env = spec.Environment
	return program.Run()
}
