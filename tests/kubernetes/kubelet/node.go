package kubelet

import (
	"context"
	"maps"
	"runtime"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/component-base/version"
	"k8s.io/component-helpers/apimachinery/lease"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
)

const (
	// Between two tries of what the API server did not take.
	pause = 200 * time.Millisecond
	// How many signs of life may be missing before a Lease is over, as with kubelets.
	beatsInLease = 4
)

// What a node can hold. Nothing here is measured, nor kept to.
var capacity = corev1.ResourceList{
	corev1.ResourceCPU:              resource.MustParse("16"),
	corev1.ResourceMemory:           resource.MustParse("64Gi"),
	corev1.ResourceEphemeralStorage: resource.MustParse("64Gi"),
	corev1.ResourcePods:             resource.MustParse("250"),
}

// Makes the Node object, or takes over the one that is there, as after a reboot.
func (k *kubelet) register(ctx context.Context) error {
	return retry(ctx, "register the node", func() error {
		node, err := k.client.CoreV1().Nodes().Create(ctx, k.fresh(), metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			node, err = k.client.CoreV1().Nodes().Get(ctx, k.node, metav1.GetOptions{})
		}
		if err != nil {
			return err
		}
		return k.refresh(ctx, node)
	})
}

func (k *kubelet) fresh() *corev1.Node {
	labels := map[string]string{
		corev1.LabelHostname:   k.node,
		corev1.LabelOSStable:   runtime.GOOS,
		corev1.LabelArchStable: runtime.GOARCH,
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: k.node, Labels: labels}}
	for _, prefix := range k.ranges {
		node.Spec.PodCIDRs = append(node.Spec.PodCIDRs, prefix.String())
	}
	node.Spec.PodCIDR = node.Spec.PodCIDRs[0]
	return node
}

// Says that the node is alive until the context ends: by its Lease, and by its status, which
// others change when they heard nothing for too long.
func (k *kubelet) heartbeat(ctx context.Context) {
	holder := func(lease *coordinationv1.Lease) error {
		node, err := k.client.CoreV1().Nodes().Get(ctx, k.node, metav1.GetOptions{})
		if err == nil {
			// It goes with its node.
			lease.OwnerReferences = []metav1.OwnerReference{*ownedBy(node)}
		}
		return err
	}
	seconds := int32(max(1, beatsInLease*k.beat/time.Second))
	leases := lease.NewController(clock.RealClock{}, k.client, k.node, seconds, nil, k.beat,
		k.node, corev1.NamespaceNodeLease, holder)
	go leases.Run(ctx)
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		node, err := k.client.CoreV1().Nodes().Get(ctx, k.node, metav1.GetOptions{})
		if err == nil {
			err = k.refresh(ctx, node)
		}
		if err != nil && ctx.Err() == nil {
			klog.ErrorS(err, "Cannot refresh the node's status")
		}
	}, k.beat)
}

// Writes the node's status where it is not as it should be.
func (k *kubelet) refresh(ctx context.Context, node *corev1.Node) error {
	wanted := node.DeepCopy()
	wanted.Status.Capacity = maps.Clone(capacity)
	wanted.Status.Allocatable = maps.Clone(capacity)
	wanted.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: k.node}}
	for _, address := range k.addresses {
		wanted.Status.Addresses = append(wanted.Status.Addresses,
			corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: address.String()})
	}
	wanted.Status.DaemonEndpoints.KubeletEndpoint.Port = port
	about := &wanted.Status.NodeInfo
	about.KubeletVersion = version.Get().GitVersion
	about.ContainerRuntimeVersion = "standin://1"
	about.OperatingSystem, about.Architecture = runtime.GOOS, runtime.GOARCH
	setReady(&wanted.Status)
	if equality.Semantic.DeepEqual(node.Status, wanted.Status) {
		return nil
	}
	_, err := k.client.CoreV1().Nodes().UpdateStatus(ctx, wanted, metav1.UpdateOptions{})
	return err
}

func setReady(status *corev1.NodeStatus) {
	now := metav1.Now()
	ready := corev1.NodeCondition{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
		Message: "the stand-in kubelet runs", LastHeartbeatTime: now, LastTransitionTime: now,
	}
	for number, condition := range status.Conditions {
		if condition.Type != corev1.NodeReady {
			continue
		}
		if condition.Status != ready.Status {
			status.Conditions[number] = ready
		}
		return
	}
	status.Conditions = append(status.Conditions, ready)
}

func ownedBy(node *corev1.Node) *metav1.OwnerReference {
	return &metav1.OwnerReference{
		APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID,
		Controller: ptr.To(false),
	}
}

// Tries until it works or the context ends.
func retry(ctx context.Context, what string, work func() error) error {
	for {
		err := work()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			klog.ErrorS(err, "Will try again", "what", what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
