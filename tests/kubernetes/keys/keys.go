// Package keys makes what the parts of a cluster know each other by: an authority, the API
// server's certificate, the key that signs tokens of service accounts, and a kubeconfig for
// everybody who asks the API server.
package keys

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Who asks the API server, beside the kubelets: the file's name, the user's, its group.
var users = [][3]string{
	{"admin", "admin", "system:masters"},
	{"controllers", "system:kube-controller-manager", ""},
	{"scheduler", "system:kube-scheduler", ""},
	{"proxy", "system:kube-proxy", ""},
}

// Under which names pods reach the API server.
var names = []string{
	"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
	"kubernetes.default.svc.cluster.local",
}

// A folder of keys being made.
type folder struct {
	path   string
	server string
	ca     *authority
}

// Run writes all of it into a folder, as the arguments say.
func Run(arguments []string) error {
	flags := flag.NewFlagSet("keys", flag.ContinueOnError)
	path := flags.String("folder", "", "where to write")
	server := flags.String("server", "", "URL of the API server")
	addresses := flags.String("addresses", "", "all addresses it is reached at, with commas between")
	nodes := flags.String("nodes", "", "names of the nodes, with commas between")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*path, 0o700); err != nil {
		return err
	}
	made := folder{*path, *server, ca}
	if err := made.write("ca.crt", ca.pem()); err != nil {
		return err
	}
	if err := made.apiServer(split(*addresses)); err != nil {
		return err
	}
	if err := made.tokens(); err != nil {
		return err
	}
	return made.kubeconfigs(split(*nodes))
}

func (f *folder) apiServer(addresses []string) error {
	var parsed []net.IP
	for _, address := range addresses {
		ip := net.ParseIP(address)
		if ip == nil {
			return fmt.Errorf("%q is no address", address)
		}
		parsed = append(parsed, ip)
	}
	made, err := f.ca.server("apiserver", names, parsed)
	if err != nil {
		return err
	}
	return f.pair("apiserver", made)
}

// The key that tokens of service accounts are signed with.
func (f *folder) tokens() error {
	key, err := newKey()
	if err != nil {
		return err
	}
	private, err := privatePEM(key)
	if err != nil {
		return err
	}
	public, err := publicPEM(key)
	if err != nil {
		return err
	}
	if err := f.write("tokens.key", private); err != nil {
		return err
	}
	return f.write("tokens.pub", public)
}

func (f *folder) kubeconfigs(nodes []string) error {
	all := users
	for _, node := range nodes {
		all = append(all, [3]string{node, "system:node:" + node, "system:nodes"})
	}
	for _, user := range all {
		groups := []string{}
		if user[2] != "" {
			groups = append(groups, user[2])
		}
		made, err := f.ca.client(user[1], groups...)
		if err != nil {
			return err
		}
		if err := f.kubeconfig(user[0], made); err != nil {
			return err
		}
	}
	return nil
}

// Writes a kubeconfig that has everything within itself, so that it can be copied.
func (f *folder) kubeconfig(name string, client pair) error {
	config := api.NewConfig()
	config.Clusters["cluster"] = &api.Cluster{
		Server: f.server, CertificateAuthorityData: f.ca.pem(),
	}
	config.AuthInfos[name] = &api.AuthInfo{
		ClientCertificateData: client.certificate, ClientKeyData: client.key,
	}
	config.Contexts["cluster"] = &api.Context{Cluster: "cluster", AuthInfo: name}
	config.CurrentContext = "cluster"
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return f.write(name+".kubeconfig", text)
}

func (f *folder) pair(name string, made pair) error {
	if err := f.write(name+".crt", made.certificate); err != nil {
		return err
	}
	return f.write(name+".key", made.key)
}

func (f *folder) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(f.path, name), content, 0o600)
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
