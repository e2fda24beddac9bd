package kubelet

import (
	"context"
	"sync"
	"time"

	authentication "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A token of a service account, and when to ask for another one.
type token struct {
	text  string
	until time.Time
}

// Tokens of a pod, by who they are for.
type tokens struct {
	mutex sync.Mutex
	known map[string]token
}

// A token of the pod's service account, which is valid while the pod is there. As kubelets do it,
// there is a new one when four fifths of its time are over.
func (p *pod) token(
	ctx context.Context, wanted *corev1.ServiceAccountTokenProjection,
) (string, error) {
	p.tokens.mutex.Lock()
	defer p.tokens.mutex.Unlock()
	if known, ok := p.tokens.known[wanted.Audience]; ok && time.Now().Before(known.until) {
		return known.text, nil
	}
	object := p.current()
	request := &authentication.TokenRequest{Spec: authentication.TokenRequestSpec{
		ExpirationSeconds: wanted.ExpirationSeconds,
		BoundObjectRef: &authentication.BoundObjectReference{
			APIVersion: "v1", Kind: "Pod", Name: object.Name, UID: object.UID,
		},
	}}
	if wanted.Audience != "" {
		request.Spec.Audiences = []string{wanted.Audience}
	}
	answer, err := p.client.CoreV1().ServiceAccounts(object.Namespace).CreateToken(
		ctx, object.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	lasts := time.Until(answer.Status.ExpirationTimestamp.Time)
	if p.tokens.known == nil {
		p.tokens.known = map[string]token{}
	}
	p.tokens.known[wanted.Audience] = token{answer.Status.Token, time.Now().Add(lasts * 4 / 5)}
	return answer.Status.Token, nil
}
