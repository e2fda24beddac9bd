package kubelet

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
)

// A pod of this node, from when it is bound until it is gone.
type pod struct {
	*kubelet
	folder string
	// Ends when nobody waits for it any more: its object is gone, or the node goes.
	ctx     context.Context
	abandon context.CancelFunc
	// Has something when there is something to report.
	poked chan struct{}
	// Closed once it is to end.
	leaving chan struct{}
	leave   func()

	// Held while its status is written.
	writing sync.Mutex
	tokens  tokens

	mutex sync.Mutex
	// The newest version that is known.
	object     *corev1.Pod
	space      string
	addresses  []netip.Addr
	started    metav1.Time
	networked  bool
	initial    []*running
	containers []*running
}

func newPod(k *kubelet, object *corev1.Pod) *pod {
	ctx, abandon := context.WithCancel(context.Background())
	leaving := make(chan struct{})
	p := &pod{
		kubelet: k,
		folder:  filepath.Join(k.state, "pods", string(object.UID)),
		ctx:     ctx, abandon: abandon,
		poked:   make(chan struct{}, 1),
		leaving: leaving, leave: sync.OnceFunc(func() { close(leaving) }),
		object:  object,
		started: metav1.Now(),
	}
	for _, spec := range object.Spec.InitContainers {
		p.initial = append(p.initial, newRunning(p, &spec, true))
	}
	for _, spec := range object.Spec.Containers {
		p.containers = append(p.containers, newRunning(p, &spec, false))
	}
	if object.DeletionTimestamp != nil {
		p.leave()
	}
	return p
}

// Takes note of a version of its object. What comes by the watch may be older than what the API
// server answered when it was last written.
func (p *pod) changed(object *corev1.Pod) {
	p.mutex.Lock()
	if versionOf(object) > versionOf(p.object) {
		p.object = object
	}
	p.mutex.Unlock()
	if object.DeletionTimestamp != nil {
		p.leave()
	}
	// Whoever else writes the status may have changed what others are to make of it.
	p.poke()
}

// Something is to be reported.
func (p *pod) poke() {
	select {
	case p.poked <- struct{}{}:
	default:
	}
}

// Versions of one kind of object are numbers that grow.
func versionOf(object *corev1.Pod) uint64 {
	number, _ := strconv.ParseUint(object.ResourceVersion, 10, 64)
	return number
}

func (p *pod) current() *corev1.Pod {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.object
}

// Its whole life. One that is to be deleted when it is first seen was run by a kubelet that is no
// more, and has nothing left to end.
func (p *pod) live() {
	defer p.clear()
	defer p.abandon()
	name := klog.KObj(p.current())
	klog.InfoS("Pod begins", "pod", name)
	go p.report()
	if p.prepare() {
		p.run()
		p.clear()
	}
	// One that has ended by itself is there, in the API alone, until somebody deletes it.
	select {
	case <-p.leaving:
	case <-p.ctx.Done():
		return
	}
	if retry(p.ctx, "report the pod's end", p.write) != nil {
		return
	}
	p.forget()
	klog.InfoS("Pod is gone", "pod", name)
}

// Makes what its containers need; false when it is to end before that could be done.
func (p *pod) prepare() bool {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	go func() {
		select {
		case <-p.leaving:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := retry(ctx, "prepare the pod", func() error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := os.MkdirAll(p.folder, 0o755); err != nil {
			return err
		}
		if err := p.plugIn(); err != nil {
			return err
		}
		return p.makeVolumes(ctx)
	})
	p.poke()
	return err == nil
}

// Gives it its network: a namespace, or the node's own.
func (p *pod) plugIn() error {
	object := p.current()
	if p.networked {
		return nil
	}
	space, addresses := "", p.kubelet.addresses
	if !object.Spec.HostNetwork {
		// What a try before left half done.
		err := p.network.remove(object.UID)
		if err != nil {
			return err
		}
		if space, addresses, err = p.network.add(object.UID); err != nil {
			return err
		}
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.space, p.addresses, p.networked = space, addresses, true
	return nil
}

// Runs its containers until all have ended.
func (p *pod) run() {
	ctx, cancel := context.WithCancel(p.ctx)
	var volumes, containers sync.WaitGroup
	defer volumes.Wait()
	defer cancel()
	volumes.Go(func() { p.keepVolumes(ctx) })
	for _, each := range p.initial {
		if !each.run() {
			return
		}
	}
	for _, each := range p.containers {
		containers.Go(func() { each.run() })
	}
	containers.Wait()
}

// How long its containers may take to end, from when it was to be deleted.
func (p *pod) grace() time.Duration {
	object := p.current()
	seconds := ptr.Deref(object.Spec.TerminationGracePeriodSeconds, 30)
	return time.Duration(ptr.Deref(object.DeletionGracePeriodSeconds, seconds)) * time.Second
}

// Tells the API server that nothing of it runs any more. It is this one that is meant, not one of
// the same name that came after it.
func (p *pod) forget() {
	object := p.current()
	options := metav1.DeleteOptions{
		GracePeriodSeconds: ptr.To(int64(0)),
		Preconditions:      metav1.NewUIDPreconditions(string(object.UID)),
	}
	_ = retry(p.ctx, "delete the pod", func() error {
		err := p.client.CoreV1().Pods(object.Namespace).Delete(p.ctx, object.Name, options)
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil
		}
		return err
	})
}

// Takes away what was made for it.
func (p *pod) clear() {
	if err := p.network.remove(p.current().UID); err != nil {
		klog.ErrorS(err, "A pod's namespace stays", "pod", klog.KObj(p.current()))
	}
	if err := os.RemoveAll(p.folder); err != nil {
		klog.ErrorS(err, "A pod's folder stays", "pod", klog.KObj(p.current()))
	}
}
