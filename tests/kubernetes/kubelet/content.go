package kubelet

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/fieldpath"
	volumes "k8s.io/kubernetes/pkg/volume/util"
	"k8s.io/utils/ptr"
)

// Files of a volume, by their path in it.
type files = map[string]volumes.FileProjection

// What a volume shows that is made of objects.
func (p *pod) content(ctx context.Context, volume *corev1.Volume) (files, error) {
	var source corev1.VolumeProjection
	mode := int32(corev1.ConfigMapVolumeSourceDefaultMode)
	switch {
	case volume.Projected != nil:
		return p.projected(ctx, volume.Projected)
	case volume.Secret != nil:
		mode = ptr.Deref(volume.Secret.DefaultMode, mode)
		source.Secret = &corev1.SecretProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: volume.Secret.SecretName},
			Items:                volume.Secret.Items, Optional: volume.Secret.Optional,
		}
	case volume.ConfigMap != nil:
		mode = ptr.Deref(volume.ConfigMap.DefaultMode, mode)
		source.ConfigMap = &corev1.ConfigMapProjection{
			LocalObjectReference: volume.ConfigMap.LocalObjectReference,
			Items:                volume.ConfigMap.Items, Optional: volume.ConfigMap.Optional,
		}
	case volume.DownwardAPI != nil:
		mode = ptr.Deref(volume.DownwardAPI.DefaultMode, mode)
		source.DownwardAPI = &corev1.DownwardAPIProjection{Items: volume.DownwardAPI.Items}
	default:
		return nil, fmt.Errorf("volumes of this kind are not known")
	}
	return p.source(ctx, &source, mode)
}

func (p *pod) projected(
	ctx context.Context, projected *corev1.ProjectedVolumeSource,
) (files, error) {
	all := files{}
	mode := ptr.Deref(projected.DefaultMode, corev1.ProjectedVolumeSourceDefaultMode)
	for _, source := range projected.Sources {
		part, err := p.source(ctx, &source, mode)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, part)
	}
	return all, nil
}

func (p *pod) source(
	ctx context.Context, source *corev1.VolumeProjection, mode int32,
) (files, error) {
	switch {
	case source.ServiceAccountToken != nil:
		token, err := p.token(ctx, source.ServiceAccountToken)
		if err != nil {
			return nil, err
		}
		// Whoever the container is: there is nobody else in its root.
		file := volumes.FileProjection{Data: []byte(token), Mode: 0o644}
		return files{source.ServiceAccountToken.Path: file}, nil
	case source.Secret != nil:
		data, err := p.secret(ctx, source.Secret.Name)
		return chosen(data, err, source.Secret.Items, source.Secret.Optional, mode)
	case source.ConfigMap != nil:
		data, err := p.configMap(ctx, source.ConfigMap.Name)
		return chosen(data, err, source.ConfigMap.Items, source.ConfigMap.Optional, mode)
	case source.DownwardAPI != nil:
		return p.ofPod(source.DownwardAPI.Items, mode)
	default:
		return nil, fmt.Errorf("projections of this kind are not known")
	}
}

// The entries that are wanted, or all when none are named, where they are wanted.
func chosen(
	data map[string][]byte, err error, items []corev1.KeyToPath, optional *bool, mode int32,
) (files, error) {
	isOptional := ptr.Deref(optional, false)
	if apierrors.IsNotFound(err) && isOptional {
		return files{}, nil
	}
	if err != nil {
		return nil, err
	}
	result := files{}
	if len(items) == 0 {
		for key, content := range data {
			result[key] = volumes.FileProjection{Data: content, Mode: mode}
		}
	}
	for _, item := range items {
		content, ok := data[item.Key]
		if !ok && isOptional {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("there is no entry %q", item.Key)
		}
		result[item.Path] = volumes.FileProjection{
			Data: content, Mode: ptr.Deref(item.Mode, mode),
		}
	}
	return result, nil
}

// What the pod's own object says.
func (p *pod) ofPod(items []corev1.DownwardAPIVolumeFile, mode int32) (files, error) {
	result := files{}
	for _, item := range items {
		if item.FieldRef == nil {
			return nil, fmt.Errorf("only fields of the pod are known")
		}
		text, err := fieldpath.ExtractFieldPathAsString(p.current(), item.FieldRef.FieldPath)
		if err != nil {
			return nil, err
		}
		result[item.Path] = volumes.FileProjection{
			Data: []byte(text), Mode: ptr.Deref(item.Mode, mode),
		}
	}
	return result, nil
}

func (p *pod) secret(ctx context.Context, name string) (map[string][]byte, error) {
	secrets := p.client.CoreV1().Secrets(p.current().Namespace)
	secret, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return secret.Data, nil
}

func (p *pod) configMap(ctx context.Context, name string) (map[string][]byte, error) {
	configMaps := p.client.CoreV1().ConfigMaps(p.current().Namespace)
	object, err := configMaps.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{}
	for key, text := range object.Data {
		data[key] = []byte(text)
	}
	maps.Copy(data, object.BinaryData)
	return data, nil
}
