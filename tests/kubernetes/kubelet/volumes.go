package kubelet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	volumes "k8s.io/kubernetes/pkg/volume/util"
	"k8s.io/utils/ptr"
)

// Between two looks at the objects that volumes show.
const look = 10 * time.Second

// Makes all its volumes, as folders of its own.
func (p *pod) makeVolumes(ctx context.Context) error {
	for _, volume := range p.current().Spec.Volumes {
		if err := p.makeVolume(ctx, &volume); err != nil {
			return fmt.Errorf("volume %s: %w", volume.Name, err)
		}
	}
	return nil
}

// Keeps what its volumes show as the objects are, until the context ends.
func (p *pod) keepVolumes(ctx context.Context) {
	for {
		sleep(ctx, look)
		if ctx.Err() != nil {
			return
		}
		if err := p.makeVolumes(ctx); err != nil && ctx.Err() == nil {
			klog.ErrorS(err, "Volumes stay as they are", "pod", klog.KObj(p.current()))
		}
	}
}

func (p *pod) makeVolume(ctx context.Context, volume *corev1.Volume) error {
	if volume.HostPath != nil {
		return makeOnDisk(p.onDisk(volume.HostPath), volume.HostPath)
	}
	folder := p.volume(volume.Name)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	if volume.EmptyDir != nil {
		return p.open(folder)
	}
	content, err := p.content(ctx, volume)
	if err != nil {
		return err
	}
	writer, err := volumes.NewAtomicWriter(folder, "volume "+volume.Name)
	if err != nil {
		return err
	}
	return writer.Write(content, nil)
}

func (p *pod) volume(name string) string {
	return filepath.Join(p.folder, "volumes", name)
}

// Where a path of the node is: nodes have a disk each, which outlives the kubelet.
func (p *pod) onDisk(path *corev1.HostPathVolumeSource) string {
	return filepath.Join(p.state, "disk", path.Path)
}

func makeOnDisk(place string, path *corev1.HostPathVolumeSource) error {
	switch ptr.Deref(path.Type, corev1.HostPathUnset) {
	case corev1.HostPathFile, corev1.HostPathFileOrCreate:
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(place, os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return err
		}
		return file.Close()
	default:
		return os.MkdirAll(place, 0o755)
	}
}

// Lets everybody of the pod write to a folder, whoever that is.
func (p *pod) open(folder string) error {
	if err := os.Chmod(folder, 0o777); err != nil {
		return err
	}
	security := p.current().Spec.SecurityContext
	if security == nil || security.FSGroup == nil {
		return nil
	}
	if err := os.Chown(folder, -1, int(*security.FSGroup)); err != nil {
		return err
	}
	return os.Chmod(folder, os.ModeSetgid|0o777)
}

// What a container mounts.
func (p *pod) volumeOf(name string) (string, error) {
	for _, volume := range p.current().Spec.Volumes {
		if volume.Name != name {
			continue
		}
		if volume.HostPath != nil {
			return p.onDisk(volume.HostPath), nil
		}
		return p.volume(name), nil
	}
	return "", fmt.Errorf("there is no volume %q", name)
}
