// A client of TLS and HTTP for tests: Go's own, which is that of most programs in a cluster. It
// asks over a connection of its own each time, and prints for each what was agreed.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

var (
	address     = flag.String("address", "", "where to connect")
	host        = flag.String("host", "", "whom to ask; an address is named to no server")
	authorities = flag.String("authorities", "", "file of those whose signatures are believed")
	certificate = flag.String("certificate", "", "file of a certificate of the client's own")
	key         = flag.String("key", "", "file of its key")
	highest     = flag.String("highest", "1.3", "highest version")
	groups      = flag.String("groups", "", "key exchanges, else all that Go has")
	protocols   = flag.String("protocols", "h2,http/1.1", "application protocols; may be none")
	times       = flag.Int("times", 1, "how often")
)

var byName = map[string]tls.CurveID{
	"X25519MLKEM768": tls.X25519MLKEM768,
	"X25519":         tls.X25519,
	"P256":           tls.CurveP256,
	"P384":           tls.CurveP384,
}

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	config, err := configuration()
	if err != nil {
		return err
	}
	for range *times {
		if err := ask(config); err != nil {
			return err
		}
	}
	return nil
}

func configuration() (*tls.Config, error) {
	pem, err := os.ReadFile(*authorities)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		RootCAs:            x509.NewCertPool(),
		MinVersion:         tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}
	config.RootCAs.AppendCertsFromPEM(pem)
	if *highest == "1.2" {
		config.MaxVersion = tls.VersionTLS12
	}
	for _, name := range words(*groups) {
		config.CurvePreferences = append(config.CurvePreferences, byName[name])
	}
	config.NextProtos = words(*protocols)
	if *certificate != "" {
		own, err := tls.LoadX509KeyPair(*certificate, *key)
		if err != nil {
			return nil, err
		}
		// Whoever the server says to believe.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &own, nil
		}
	}
	return config, nil
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(it rune) bool { return it == ',' })
}

func ask(config *tls.Config) error {
	// Nothing of the transport's own: what is agreed is what the configuration offers.
	transport := &http.Transport{
		TLSClientConfig:   config.Clone(),
		ForceAttemptHTTP2: strings.Contains(*protocols, "h2"),
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, *address)
		},
	}
	if !transport.ForceAttemptHTTP2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	_, port, err := net.SplitHostPort(*address)
	if err != nil {
		return err
	}
	answer, err := client.Get("https://" + net.JoinHostPort(*host, port) + "/")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	// A ticket of TLS 1.3 comes with what is read.
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	agreed := answer.TLS
	said := []string{answer.Proto, answer.Status[:3], tls.VersionName(agreed.Version)}
	said = append(said, agreed.CurveID.String(), agreed.PeerCertificates[0].PublicKeyAlgorithm.String())
	if agreed.DidResume {
		said = append(said, "resumed")
	}
	if agreed.HelloRetryRequest {
		said = append(said, "retried")
	}
	fmt.Println(strings.Join(said, " "))
	return nil
}
