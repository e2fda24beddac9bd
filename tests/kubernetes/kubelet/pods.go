package kubelet

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/tools/cache"
)

// Follows the pods that are bound to this node, each by a life of its own, until the context ends.
func (k *kubelet) watch(ctx context.Context) {
	mine := fields.OneTermEqualSelector("spec.nodeName", k.node)
	pods := cache.NewListWatchFromClient(
		k.client.CoreV1().RESTClient(), "pods", metav1.NamespaceAll, mine)
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: pods,
		ObjectType:    &corev1.Pod{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { k.seen(object.(*corev1.Pod)) },
			UpdateFunc: func(_, object any) { k.seen(object.(*corev1.Pod)) },
			DeleteFunc: func(object any) { k.gone(object) },
		},
	})
	informer.RunWithContext(ctx)
}

func (k *kubelet) seen(object *corev1.Pod) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if known, ok := k.pods[object.UID]; ok {
		known.changed(object)
		return
	}
	if isOver(object) && object.DeletionTimestamp == nil {
		return
	}
	pod := newPod(k, object)
	k.pods[object.UID] = pod
	k.lives.Go(func() {
		pod.live()
		k.mutex.Lock()
		defer k.mutex.Unlock()
		delete(k.pods, object.UID)
	})
}

// The object is no more: nobody waits for its containers.
func (k *kubelet) gone(object any) {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if pod, ok := k.pods[object.(*corev1.Pod).UID]; ok {
		pod.abandon()
	}
}

func isOver(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
