package kubelet

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/probe"
	prober "k8s.io/kubernetes/pkg/probe/http"
	"steelyard.dev/tests/kubernetes/container"
)

var overHTTP = prober.New(false)

// Probes a container while its process runs, as it asks for. What is returned has something when
// it is to be started again.
func (r *running) observe(process *container.Process) <-chan struct{} {
	ctx, cancel := context.WithCancel(r.pod.ctx)
	go func() {
		<-process.Ended()
		cancel()
	}()
	unhealthy := make(chan struct{}, 1)
	fail := func(good bool) bool {
		if !good && !isClosed(r.pod.leaving) {
			unhealthy <- struct{}{}
		}
		return good
	}
	go func() {
		if r.spec.Lifecycle != nil && r.spec.Lifecycle.PostStart != nil {
			r.hook(process, r.spec.Lifecycle.PostStart, time.Minute)
		}
		started := r.probe(ctx, process, r.spec.StartupProbe, false, fail)
		if !started || ctx.Err() != nil {
			return
		}
		r.change(func() { r.isStarted, r.isReady = true, r.spec.ReadinessProbe == nil })
		if r.spec.LivenessProbe != nil {
			go r.probe(ctx, process, r.spec.LivenessProbe, true, fail)
		}
		if r.spec.ReadinessProbe != nil {
			r.probe(ctx, process, r.spec.ReadinessProbe, true, func(good bool) bool {
				// Not after its end: that says already that it is not.
				if ctx.Err() == nil {
					r.change(func() { r.isReady = good })
				}
				return true
			})
		}
	}()
	return unhealthy
}

// Probes again and again, and says when the outcome is another one, as often in a row as it must;
// on says whether to go on. A probe that is not to last ends with the first success. What is
// returned is the last outcome; none is a success.
func (r *running) probe(
	ctx context.Context, process *container.Process, spec *corev1.Probe, lasts bool,
	on func(good bool) bool,
) bool {
	if spec == nil {
		return true
	}
	sleep(ctx, time.Duration(spec.InitialDelaySeconds)*time.Second)
	inRow, last, told := int32(0), false, false
	for ctx.Err() == nil {
		good := r.check(ctx, process, spec)
		if good != last {
			inRow, last = 0, good
		}
		inRow++
		threshold := spec.FailureThreshold
		if good {
			threshold = spec.SuccessThreshold
		}
		if inRow >= threshold && (good != told || !good) {
			told = good
			if !on(good) || !lasts {
				return good
			}
		}
		sleep(ctx, time.Duration(spec.PeriodSeconds)*time.Second)
	}
	return false
}

// Probes once.
func (r *running) check(
	ctx context.Context, process *container.Process, spec *corev1.Probe,
) bool {
	limit := time.Duration(spec.TimeoutSeconds) * time.Second
	address := r.pod.address()
	switch {
	case spec.HTTPGet != nil:
		request, err := prober.NewRequestForHTTPGetAction(spec.HTTPGet, r.spec, address, "probe")
		return err == nil && overHTTPIs(request, limit)
	case spec.TCPSocket != nil:
		port, err := probe.ResolveContainerPort(spec.TCPSocket.Port, r.spec)
		if err != nil {
			return false
		}
		if spec.TCPSocket.Host != "" {
			address = spec.TCPSocket.Host
		}
		stream, err := net.DialTimeout("tcp", net.JoinHostPort(address, strconv.Itoa(port)), limit)
		if err != nil {
			return false
		}
		return stream.Close() == nil
	case spec.Exec != nil:
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return r.inside(ctx, process, spec.Exec.Command) == nil
	default:
		klog.InfoS("A probe of this kind is not known", "container", r.spec.Name)
		return false
	}
}

func overHTTPIs(request *http.Request, limit time.Duration) bool {
	result, _, err := overHTTP.Probe(request, limit)
	return err == nil && (result == probe.Success || result == probe.Warning)
}

func sleep(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}
