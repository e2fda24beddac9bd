// Package kubelet is a small stand-in for the kubelet: it registers a node, and runs the pods that
// are bound to it, each in a network namespace of its own, its containers as processes of this
// machine (package container). It keeps to what a kubelet promises to the rest of a cluster:
// Leases, statuses, probes, hooks, graceful ends, volumes that follow their objects.
//
// It is not one where nobody looks: there are no images to pull, no cgroups, no eviction for want
// of resources, no exec or attach, and init containers that go on running are not known. It runs
// within the network namespace of its node, and ends all it started when it ends, also when it is
// killed; what cannot end by itself goes at the next start with the same state folder.
package kubelet

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// The kubelet of one node.
type kubelet struct {
	options
	client  kubernetes.Interface
	network *network
	// Where the Service of the API server is; what containers are told of it.
	apiService *corev1.Service

	mutex sync.Mutex
	pods  map[types.UID]*pod
	// Lives of pods that go on.
	lives sync.WaitGroup
}

// Run is the kubelet, until it is told to end.
func Run(arguments []string) error {
	options, err := parse(arguments)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", options.kubeconfig)
	if err != nil {
		return err
	}
	// Pods that come and go together must not wait for each other.
	config.QPS, config.Burst = 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	network, err := newNetwork(&options)
	if err != nil {
		return err
	}
	k := &kubelet{
		options: options, client: client, network: network, pods: map[types.UID]*pod{},
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return k.run(ctx)
}

func (k *kubelet) run(ctx context.Context) error {
	if err := k.sweep(); err != nil {
		return err
	}
	if err := k.register(ctx); err != nil {
		return errUnlessDone(ctx, err)
	}
	if err := k.findService(ctx); err != nil {
		return errUnlessDone(ctx, err)
	}
	go k.heartbeat(ctx)
	go k.serveLogs(ctx)
	klog.InfoS("Node is registered", "node", k.node)
	// Ends with the context.
	k.watch(ctx)
	k.stopAll()
	return k.sweep()
}

func errUnlessDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Takes away what an earlier run left: namespaces of pods, and their folders. The disk of the
// node stays (host paths).
func (k *kubelet) sweep() error {
	folder := filepath.Join(k.state, "pods")
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if err := k.network.remove(types.UID(entry.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(folder)
}

// Ends all pods at once, without a word to the API: the node goes, its pods stay bound to it.
func (k *kubelet) stopAll() {
	k.mutex.Lock()
	for _, pod := range k.pods {
		pod.abandon()
	}
	k.mutex.Unlock()
	k.lives.Wait()
}
