package kubelet

import (
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	generate "k8s.io/kubernetes/pkg/kubelet/status"
	patch "k8s.io/kubernetes/pkg/util/pod"
	"k8s.io/utils/ptr"
)

// Writes its status, whenever there is something new, while somebody waits for it.
func (p *pod) report() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.poked:
			_ = retry(p.ctx, "write the pod's status", p.write)
		}
	}
}

// Writes its status where that differs from what the API server has.
func (p *pod) write() error {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mutex.Lock()
	object, status := p.object, p.status()
	p.mutex.Unlock()
	written, _, _, err := patch.PatchPodStatus(p.ctx, p.client, object.Namespace, object.Name,
		object.UID, object.Status, status)
	// One that is gone, or has another one in its place, has no status any more.
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	if written != nil {
		p.changed(written)
	}
	return err
}

// What is told of it: the status that is there, with what is ours to say. The mutex is held.
func (p *pod) status() corev1.PodStatus {
	object, before := p.object, p.object.Status
	status := *before.DeepCopy()
	status.ObservedGeneration = object.Generation
	status.Phase = p.phase()
	status.StartTime = ptr.To(p.started)
	if before.StartTime != nil {
		status.StartTime = before.StartTime
	}
	status.HostIP, status.HostIPs = "", nil
	for _, address := range p.kubelet.addresses {
		status.HostIPs = append(status.HostIPs, corev1.HostIP{IP: address.String()})
	}
	status.HostIP = status.HostIPs[0].IP
	status.PodIP, status.PodIPs = "", nil
	for _, address := range p.addresses {
		status.PodIPs = append(status.PodIPs, corev1.PodIP{IP: address.String()})
		status.PodIP = status.PodIPs[0].IP
	}
	status.InitContainerStatuses = statuses(p.initial)
	status.ContainerStatuses = statuses(p.containers)
	for _, condition := range p.conditions(&status) {
		podutil.UpdatePodCondition(&status, &condition)
	}
	return status
}

func (p *pod) conditions(status *corev1.PodStatus) []corev1.PodCondition {
	object, before := p.object, &p.object.Status
	networked := corev1.PodCondition{
		Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionFalse,
		ObservedGeneration: object.Generation,
	}
	if p.networked && !p.isOver() {
		networked.Status = corev1.ConditionTrue
	}
	return []corev1.PodCondition{
		networked,
		generate.GeneratePodInitializedCondition(
			object, before, status.InitContainerStatuses, status.Phase),
		generate.GenerateContainersReadyCondition(
			object, before, status.ContainerStatuses, status.Phase),
		generate.GeneratePodReadyCondition(
			object, before, status.Conditions, status.ContainerStatuses, status.Phase),
	}
}

// Whether nothing of it will run any more.
func (p *pod) isOver() bool {
	for _, each := range p.containers {
		if !each.isOver {
			// An initial container that failed for good leaves the others as they are.
			return p.isFailedAtFirst()
		}
	}
	return true
}

func (p *pod) isFailedAtFirst() bool {
	for _, each := range p.initial {
		if each.isOver && !each.isGood() {
			return true
		}
	}
	return false
}

func (p *pod) phase() corev1.PodPhase {
	if isOver(p.object) {
		return p.object.Status.Phase
	}
	if p.isOver() || p.isAbsent() {
		for _, each := range append(p.initial, p.containers...) {
			if !each.isGood() {
				return corev1.PodFailed
			}
		}
		return corev1.PodSucceeded
	}
	for _, each := range p.containers {
		if each.id != "" {
			return corev1.PodRunning
		}
	}
	return corev1.PodPending
}

// Whether it is to be deleted and nothing of it was started by this kubelet.
func (p *pod) isAbsent() bool {
	if !isClosed(p.leaving) {
		return false
	}
	for _, each := range append(p.initial, p.containers...) {
		if each.state.Running != nil {
			return false
		}
	}
	return true
}

func (r *running) isGood() bool {
	return r.state.Terminated != nil && r.state.Terminated.ExitCode == 0
}

func statuses(all []*running) []corev1.ContainerStatus {
	var result []corev1.ContainerStatus
	for _, each := range all {
		result = append(result, corev1.ContainerStatus{
			Name:                 each.spec.Name,
			Image:                each.spec.Image,
			ImageID:              each.spec.Image,
			State:                *each.state.DeepCopy(),
			LastTerminationState: *each.last.DeepCopy(),
			RestartCount:         each.restarts,
			ContainerID:          each.id,
			Started:              ptr.To(each.isStarted),
			// Those that are to end before the others begin are ready once they have.
			Ready: each.isReady && !each.initial || each.initial && each.isGood(),
		})
	}
	return result
}

// Where its probes are sent.
func (p *pod) address() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.addresses[0].String()
}
