package kubelet

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/klog/v2"
)

// Where kubelets serve.
const port = 10250

// What a container prints, of all its starts. The file stays when the pod goes: it tells why a
// test failed.
func (k *kubelet) logFile(namespace, pod, container string) string {
	return filepath.Join(k.state, "logs", namespace+"_"+pod+"_"+container+".log")
}

func (p *pod) openLog(container string) (*os.File, error) {
	object := p.current()
	name := p.logFile(object.Namespace, object.Name, container)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
}

// Serves what `kubectl logs` asks for, by way of the API server, which believes any certificate:
// the whole of what there is, or what comes after it too (`-f`).
func (k *kubelet) serveLogs(ctx context.Context) {
	server, err := k.logServer()
	if err != nil {
		klog.ErrorS(err, "Logs are not served")
		return
	}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	_ = retry(ctx, "serve logs", func() error { return server.ListenAndServeTLS("", "") })
}

func (k *kubelet) logServer() (*http.Server, error) {
	own := k.addresses[0].String()
	certificate, key, err := cert.GenerateSelfSignedCertKey(own, []net.IP{net.ParseIP(own)}, nil)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.sendLog)
	return &http.Server{
		Addr:      netip.AddrPortFrom(k.addresses[0], port).String(),
		Handler:   routes,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}},
	}, nil
}

func (k *kubelet) sendLog(writer http.ResponseWriter, request *http.Request) {
	file, err := os.Open(k.logFile(
		request.PathValue("namespace"), request.PathValue("pod"), request.PathValue("container")))
	if err != nil {
		http.Error(writer, err.Error(), http.StatusNotFound)
		return
	}
	defer file.Close()
	follows, _ := strconv.ParseBool(request.URL.Query().Get("follow"))
	for {
		if _, err := file.WriteTo(writer); err != nil || !follows {
			return
		}
		if err := http.NewResponseController(writer).Flush(); err != nil {
			return
		}
		sleep(request.Context(), 100*time.Millisecond)
		if request.Context().Err() != nil {
			return
		}
	}
}
