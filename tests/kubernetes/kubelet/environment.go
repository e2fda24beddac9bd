package kubelet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/api/v1/resource"
	"k8s.io/kubernetes/pkg/fieldpath"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
	"k8s.io/utils/ptr"
)

// Where containers look for programs.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Learns where pods find the API server: the cluster makes that Service by itself.
func (k *kubelet) findService(ctx context.Context) error {
	return retry(ctx, "find the API server's Service", func() error {
		services := k.client.CoreV1().Services(metav1.NamespaceDefault)
		service, err := services.Get(ctx, "kubernetes", metav1.GetOptions{})
		k.apiService = service
		return err
	})
}

// The variables of a container, by name.
func (r *running) environment(ctx context.Context) (map[string]string, error) {
	service := r.pod.apiService.Spec
	port := strconv.Itoa(int(service.Ports[0].Port))
	all := map[string]string{
		"PATH":                          searchPath,
		"HOSTNAME":                      r.pod.hostname(),
		"KUBERNETES_SERVICE_HOST":       service.ClusterIP,
		"KUBERNETES_SERVICE_PORT":       port,
		"KUBERNETES_SERVICE_PORT_HTTPS": port,
	}
	for _, source := range r.spec.EnvFrom {
		part, err := r.pod.wholeObject(ctx, &source)
		if err != nil {
			return nil, err
		}
		for name, value := range part {
			all[source.Prefix+name] = string(value)
		}
	}
	for _, variable := range r.spec.Env {
		value, ok, err := r.value(ctx, &variable, all)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", variable.Name, err)
		}
		if ok {
			all[variable.Name] = value
		}
	}
	return all, nil
}

func (p *pod) wholeObject(
	ctx context.Context, source *corev1.EnvFromSource,
) (map[string][]byte, error) {
	var data map[string][]byte
	var err error
	var optional *bool
	if source.SecretRef != nil {
		data, err = p.secret(ctx, source.SecretRef.Name)
		optional = source.SecretRef.Optional
	}
	if source.ConfigMapRef != nil {
		data, err = p.configMap(ctx, source.ConfigMapRef.Name)
		optional = source.ConfigMapRef.Optional
	}
	if apierrors.IsNotFound(err) && ptr.Deref(optional, false) {
		return nil, nil
	}
	return data, err
}

// The value of a variable; whether it has one, since what is optional may not be there.
func (r *running) value(
	ctx context.Context, variable *corev1.EnvVar, known map[string]string,
) (string, bool, error) {
	from := variable.ValueFrom
	switch {
	case from == nil:
		return expansion.Expand(variable.Value, expansion.MappingFuncFor(known)), true, nil
	case from.FieldRef != nil:
		value, err := r.pod.field(from.FieldRef.FieldPath)
		return value, true, err
	case from.ResourceFieldRef != nil:
		value, err := resource.ExtractContainerResourceValue(from.ResourceFieldRef, r.spec)
		return value, true, err
	case from.SecretKeyRef != nil:
		data, err := r.pod.secret(ctx, from.SecretKeyRef.Name)
		return entry(data, err, from.SecretKeyRef.Key, from.SecretKeyRef.Optional)
	case from.ConfigMapKeyRef != nil:
		data, err := r.pod.configMap(ctx, from.ConfigMapKeyRef.Name)
		return entry(data, err, from.ConfigMapKeyRef.Key, from.ConfigMapKeyRef.Optional)
	default:
		return "", false, fmt.Errorf("values from there are not known")
	}
}

func entry(
	data map[string][]byte, err error, key string, optional *bool,
) (string, bool, error) {
	if ptr.Deref(optional, false) && (err == nil || apierrors.IsNotFound(err)) {
		value, ok := data[key]
		return string(value), ok, nil
	}
	if err != nil {
		return "", false, err
	}
	value, ok := data[key]
	if !ok {
		return "", false, fmt.Errorf("there is no entry %q", key)
	}
	return string(value), true, nil
}

// A field of the pod, of which some are known here before they are in its object.
func (p *pod) field(path string) (string, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	status := p.status()
	switch path {
	case "spec.nodeName":
		return p.node, nil
	case "spec.serviceAccountName":
		return p.object.Spec.ServiceAccountName, nil
	case "status.hostIP":
		return status.HostIP, nil
	case "status.hostIPs":
		var all []string
		for _, each := range status.HostIPs {
			all = append(all, each.IP)
		}
		return strings.Join(all, ","), nil
	case "status.podIP":
		return status.PodIP, nil
	case "status.podIPs":
		var all []string
		for _, each := range status.PodIPs {
			all = append(all, each.IP)
		}
		return strings.Join(all, ","), nil
	default:
		return fieldpath.ExtractFieldPathAsString(p.object, path)
	}
}

// As a process has them, in an order that does not change.
func lines(variables map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		all = append(all, name+"="+variables[name])
	}
	return all
}

func expand(words []string, variables map[string]string) []string {
	var all []string
	for _, word := range words {
		all = append(all, expansion.Expand(word, expansion.MappingFuncFor(variables)))
	}
	return all
}
