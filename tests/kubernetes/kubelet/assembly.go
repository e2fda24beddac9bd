package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"steelyard.dev/tests/kubernetes/container"
)

// The container that is to run, as its pod asks for it.
func (r *running) container(ctx context.Context) (*container.Spec, error) {
	image, err := r.pod.images.find(r.spec.Image)
	if err != nil {
		return nil, err
	}
	variables, err := r.environment(ctx)
	if err != nil {
		return nil, err
	}
	mounts, err := r.mounts(variables)
	if err != nil {
		return nil, err
	}
	rights, err := r.rights()
	if err != nil {
		return nil, err
	}
	command := expand(r.spec.Command, variables)
	if len(command) == 0 {
		command = []string{image.Entry}
	}
	spec := &container.Spec{
		Hostname:    r.pod.hostname(),
		Image:       image,
		Mounts:      mounts,
		Command:     append(command, expand(r.spec.Args, variables)...),
		Environment: lines(variables),
		Directory:   r.spec.WorkingDir,
		Rights:      rights,
	}
	if r.pod.space != "" {
		spec.Network = filepath.Join(names, r.pod.space)
	}
	return spec, nil
}

func (r *running) mounts(variables map[string]string) ([]container.Mount, error) {
	hosts, err := r.pod.hosts()
	if err != nil {
		return nil, err
	}
	mounts := []container.Mount{{Source: hosts, Target: "/etc/hosts"}}
	for _, mount := range r.spec.VolumeMounts {
		source, err := r.pod.volumeOf(mount.Name)
		if err != nil {
			return nil, err
		}
		within := mount.SubPath
		if mount.SubPathExpr != "" {
			within = expand([]string{mount.SubPathExpr}, variables)[0]
		}
		source = filepath.Join(source, within)
		if _, err := os.Stat(source); errors.Is(err, os.ErrNotExist) {
			if err := os.MkdirAll(source, 0o777); err != nil {
				return nil, err
			}
		}
		mounts = append(mounts, container.Mount{
			Source: source, Target: mount.MountPath, ReadOnly: mount.ReadOnly,
		})
	}
	return mounts, nil
}

// What its process may do: what the container says, else what the pod says, else what runtimes
// give.
func (r *running) rights() (container.Rights, error) {
	pod := ptr.Deref(r.pod.current().Spec.SecurityContext, corev1.PodSecurityContext{})
	own := ptr.Deref(r.spec.SecurityContext, corev1.SecurityContext{})
	asked := ptr.Deref(own.Capabilities, corev1.Capabilities{})
	rights := container.Rights{
		User:            int(first(own.RunAsUser, pod.RunAsUser)),
		Group:           int(first(own.RunAsGroup, pod.RunAsGroup)),
		Capabilities:    container.Capabilities(plain(asked.Drop), plain(asked.Add)),
		Privileged:      ptr.Deref(own.Privileged, false),
		NoNewPrivileges: !ptr.Deref(own.AllowPrivilegeEscalation, true),
		ReadOnlyRoot:    ptr.Deref(own.ReadOnlyRootFilesystem, false),
	}
	if rights.Privileged {
		rights.Capabilities = container.All()
	}
	for _, group := range pod.SupplementalGroups {
		rights.Groups = append(rights.Groups, int(group))
	}
	if pod.FSGroup != nil {
		rights.Groups = append(rights.Groups, int(*pod.FSGroup))
	}
	isNotRoot := ptr.Deref(own.RunAsNonRoot, ptr.Deref(pod.RunAsNonRoot, false))
	if isNotRoot && rights.User == 0 {
		return rights, fmt.Errorf("the container is not to run as root, and names no user")
	}
	return rights, nil
}

func first(own, pod *int64) int64 {
	if own != nil {
		return *own
	}
	return ptr.Deref(pod, 0)
}

func plain(names []corev1.Capability) []string {
	var all []string
	for _, name := range names {
		all = append(all, strings.TrimPrefix(string(name), "CAP_"))
	}
	return all
}

func (p *pod) hostname() string {
	object := p.current()
	switch {
	case object.Spec.HostNetwork:
		return p.node
	case object.Spec.Hostname != "":
		return object.Spec.Hostname
	default:
		return object.Name[:min(63, len(object.Name))]
	}
}

// The file of names that the pod knows without asking anybody.
func (p *pod) hosts() (string, error) {
	text := "127.0.0.1 localhost\n::1 localhost\n"
	for _, address := range p.addresses {
		text += fmt.Sprintf("%s %s\n", address, p.hostname())
	}
	for _, alias := range p.current().Spec.HostAliases {
		text += fmt.Sprintf("%s %s\n", alias.IP, strings.Join(alias.Hostnames, " "))
	}
	file := filepath.Join(p.folder, "hosts")
	return file, os.WriteFile(file, []byte(text), 0o644)
}
