package kubelet

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"steelyard.dev/tests/kubernetes/container"
)

const (
	// The longest time between two starts of a container that fails, which doubles up to it.
	longestBackOff = 16 * time.Second
	// What a container has at least between SIGTERM and SIGKILL, as with kubelets: a hook may have
	// used up all its time.
	leastGrace = 2 * time.Second
)

// A container of a pod, over all its starts. What it is like is guarded by the pod's mutex.
type running struct {
	pod     *pod
	spec    *corev1.Container
	initial bool

	state, last corev1.ContainerState
	restarts    int32
	id          string
	// Its startup probe has succeeded.
	isStarted bool
	isReady   bool
	// It is not started again.
	isOver bool
}

func newRunning(p *pod, spec *corev1.Container, initial bool) *running {
	r := &running{pod: p, spec: spec, initial: initial}
	r.state.Waiting = &corev1.ContainerStateWaiting{Reason: "PodInitializing"}
	statuses := p.object.Status.ContainerStatuses
	if initial {
		statuses = p.object.Status.InitContainerStatuses
	}
	for _, earlier := range statuses {
		if earlier.Name == spec.Name && earlier.ContainerID != "" {
			r.follow(&earlier)
		}
	}
	return r
}

// It ran before, under a kubelet that is no more.
func (r *running) follow(earlier *corev1.ContainerStatus) {
	r.restarts, r.last = earlier.RestartCount+1, earlier.State
	if earlier.State.Running != nil {
		r.last = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 137, Reason: "ContainerStatusUnknown", FinishedAt: metav1.Now(),
			StartedAt: earlier.State.Running.StartedAt, ContainerID: earlier.ContainerID,
		}}
	}
	if r.pod.object.DeletionTimestamp != nil {
		r.state, r.last = r.last, corev1.ContainerState{}
		r.restarts, r.id = earlier.RestartCount, earlier.ContainerID
	}
}

// Runs it, again and again where the pod wants that; whether it ended well.
func (r *running) run() bool {
	defer r.change(func() { r.isOver = true })
	for starts := 0; ; starts++ {
		if !r.wait(backOff(starts)) {
			return false
		}
		if starts > 0 {
			r.change(func() { r.restarts++ })
		}
		good := r.once()
		if !r.isRestarted(good) {
			return good
		}
	}
}

// No time before the first start and the first restart.
func backOff(starts int) time.Duration {
	if starts < 2 {
		return 0
	}
	return min(longestBackOff, time.Second<<min(starts-2, 8))
}

// Waits before a start; false when there is to be none.
func (r *running) wait(pause time.Duration) bool {
	if pause > 0 {
		r.change(func() {
			if r.state.Terminated != nil {
				r.last = r.state
			}
			r.state = waiting("CrashLoopBackOff", nil)
		})
	}
	select {
	case <-r.pod.leaving:
	case <-r.pod.ctx.Done():
	case <-time.After(pause):
	}
	return !isClosed(r.pod.leaving) && r.pod.ctx.Err() == nil
}

func waiting(reason string, err error) corev1.ContainerState {
	state := &corev1.ContainerStateWaiting{Reason: reason}
	if err != nil {
		state.Message = err.Error()
	}
	return corev1.ContainerState{Waiting: state}
}

func (r *running) isRestarted(good bool) bool {
	policy := r.pod.current().Spec.RestartPolicy
	if good && (r.initial || policy == corev1.RestartPolicyOnFailure) {
		return false
	}
	return policy != corev1.RestartPolicyNever
}

// Runs it once; whether it ended well.
func (r *running) once() bool {
	process, err := r.start()
	if err != nil {
		klog.ErrorS(err, "A container cannot be started", "pod", klog.KObj(r.pod.current()))
		r.change(func() { r.state = waiting("CreateContainerError", err) })
		return false
	}
	unhealthy := r.observe(process)
	select {
	case <-process.Ended():
	case <-r.pod.leaving:
		r.end(process, r.pod.grace())
	case <-unhealthy:
		r.end(process, r.ownGrace())
	case <-r.pod.ctx.Done():
		process.Signal(syscall.SIGKILL)
	}
	<-process.Ended()
	return r.ended(process.ExitCode())
}

func (r *running) start() (*container.Process, error) {
	spec, err := r.container(r.pod.ctx)
	if err != nil {
		return nil, err
	}
	log, err := r.pod.openLog(r.spec.Name)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	folder := filepath.Join(r.pod.folder, "containers", r.spec.Name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	process, err := container.Start(*spec, folder, log)
	if err != nil {
		return nil, err
	}
	r.change(func() {
		if r.state.Terminated != nil {
			r.last = r.state
		}
		r.id = fmt.Sprintf("standin://%s-%s-%d", r.pod.object.UID, r.spec.Name, r.restarts)
		r.state = corev1.ContainerState{
			Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()},
		}
	})
	return process, nil
}

// Ends it as it asked for: its hook, SIGTERM, and SIGKILL when its time is over.
func (r *running) end(process *container.Process, grace time.Duration) {
	deadline := time.Now().Add(grace)
	if r.spec.Lifecycle != nil && r.spec.Lifecycle.PreStop != nil {
		r.hook(process, r.spec.Lifecycle.PreStop, grace)
	}
	process.Signal(syscall.SIGTERM)
	select {
	case <-process.Ended():
	case <-r.pod.ctx.Done():
	case <-time.After(max(time.Until(deadline), leastGrace)):
	}
	process.Signal(syscall.SIGKILL)
}

// What it has to end when it is to be started again.
func (r *running) ownGrace() time.Duration {
	probe := r.spec.LivenessProbe
	if probe != nil && probe.TerminationGracePeriodSeconds != nil {
		return time.Duration(*probe.TerminationGracePeriodSeconds) * time.Second
	}
	seconds := ptr.Deref(r.pod.current().Spec.TerminationGracePeriodSeconds, 30)
	return time.Duration(seconds) * time.Second
}

func (r *running) ended(code int) bool {
	reason := "Completed"
	if code != 0 {
		reason = "Error"
	}
	r.change(func() {
		started := r.state.Running.StartedAt
		r.isReady, r.isStarted = false, false
		r.state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: int32(code), Reason: reason, StartedAt: started,
			FinishedAt: metav1.Now(), ContainerID: r.id,
		}}
	})
	return code == 0
}

// Changes what is told of it.
func (r *running) change(edit func()) {
	r.pod.mutex.Lock()
	edit()
	r.pod.mutex.Unlock()
	r.pod.poke()
}
