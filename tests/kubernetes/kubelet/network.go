package kubelet

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"
)

// Where iproute2 keeps names of namespaces.
const names = "/run/netns"

// The pods' network: a namespace each, a cable from it to the node, and routes to both ends. The
// node is the pods' router by the first address of their range, which it has at its end of each
// cable; so nothing is bridged, and Services work for pods of one node as for those of several.
type network struct {
	prefix string
	nodes  []netip.Addr
	ranges []netip.Prefix

	mutex sync.Mutex
	used  map[netip.Addr]types.UID
	last  []netip.Addr
}

// Settings of the node, which routes for its pods.
var nodeSettings = map[string]string{
	"net/ipv4/ip_forward":          "1",
	"net/ipv6/conf/all/forwarding": "1",
}

// Settings of pods: their ports and pings are their own affair, as under containerd.
var podSettings = map[string]string{
	"net/ipv4/ip_unprivileged_port_start": "0",
	"net/ipv4/ping_group_range":           "0 2147483647",
	"net/ipv6/conf/all/accept_dad":        "0",
	"net/ipv6/conf/default/accept_dad":    "0",
}

func newNetwork(o *options) (*network, error) {
	if err := set(nodeSettings); err != nil {
		return nil, err
	}
	n := &network{
		prefix: o.prefix, nodes: o.addresses, ranges: o.ranges, used: map[netip.Addr]types.UID{},
	}
	for _, prefix := range o.ranges {
		n.last = append(n.last, gateway(prefix))
	}
	return n, nil
}

// The node's own address among those of its pods.
func gateway(prefix netip.Prefix) netip.Addr {
	return prefix.Masked().Addr().Next()
}

// Makes the namespace of a pod; its name and its addresses.
func (n *network) add(pod types.UID) (string, []netip.Addr, error) {
	addresses, err := n.take(pod)
	if err != nil {
		return "", nil, err
	}
	space, cable := n.names(pod)
	if err := ip("netns", "add", space); err != nil {
		return "", nil, err
	}
	if err := inside(space, func() error { return set(podSettings) }); err != nil {
		return "", nil, err
	}
	node := []string{
		fmt.Sprintf("link add %s type veth peer name eth0 netns %s", cable, space),
		"link set " + cable + " up",
	}
	own := []string{"link set lo up", "link set eth0 up"}
	for number, address := range addresses {
		router := host(gateway(n.ranges[number]))
		node = append(node,
			fmt.Sprintf("addr add %s dev %s nodad", router, cable),
			// The node speaks to its pods by the address that it has for everybody.
			fmt.Sprintf("route add %s dev %s src %s", host(address), cable, n.nodes[number]))
		own = append(own,
			fmt.Sprintf("addr add %s dev eth0 nodad", host(address)),
			fmt.Sprintf("route add %s dev eth0", router),
			fmt.Sprintf("route add default via %s dev eth0", gateway(n.ranges[number])))
	}
	if err := batch(node); err != nil {
		return "", nil, err
	}
	return space, addresses, batch(own, "-n", space)
}

// An address as a range of one.
func host(address netip.Addr) netip.Prefix {
	return netip.PrefixFrom(address, address.BitLen())
}

// Takes away what was made for a pod; it may be half there, or not at all.
func (n *network) remove(pod types.UID) error {
	space, cable := n.names(pod)
	// The namespace lives until the last process in it has ended; the cable goes now.
	if ip("link", "show", cable) == nil {
		if err := ip("link", "del", cable); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(names, space)); !errors.Is(err, fs.ErrNotExist) {
		if err := ip("netns", "del", space); err != nil {
			return err
		}
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for address, user := range n.used {
		if user == pod {
			delete(n.used, address)
		}
	}
	return nil
}

// The namespace of a pod and the node's end of its cable, whose name the kernel wants short.
func (n *network) names(pod types.UID) (space, cable string) {
	short := strings.ReplaceAll(string(pod), "-", "")
	return n.prefix + "pod-" + short[:min(12, len(short))], "pod" + short[:min(12, len(short))]
}

// The next free address of each range: one that was used is used again as late as can be, since
// others may still send to it.
func (n *network) take(pod types.UID) ([]netip.Addr, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	var taken []netip.Addr
	for number, prefix := range n.ranges {
		address, err := n.next(number, prefix)
		if err != nil {
			return nil, err
		}
		n.used[address], n.last[number] = pod, address
		taken = append(taken, address)
	}
	return taken, nil
}

func (n *network) next(number int, prefix netip.Prefix) (netip.Addr, error) {
	first, candidate := gateway(prefix).Next(), n.last[number]
	// However large the range is, among so many one is free.
	for range len(n.used) + 1 {
		if candidate = candidate.Next(); !prefix.Contains(candidate) {
			candidate = first
		}
		if _, used := n.used[candidate]; !used {
			return candidate, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("no address of %s is free", prefix)
}

// Writes settings of the kernel, of the network namespace of the calling thread.
func set(settings map[string]string) error {
	for key, value := range settings {
		if err := os.WriteFile(filepath.Join("/proc/sys", key), []byte(value), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Works within a network namespace, on a thread that ends with it.
func inside(space string, work func() error) error {
	outcome := make(chan error)
	go func() {
		// Never unlocked: the thread is not to be used for anything else.
		runtime.LockOSThread()
		outcome <- func() error {
			file, err := os.Open(filepath.Join(names, space))
			if err != nil {
				return err
			}
			defer file.Close()
			if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			return work()
		}()
	}()
	return <-outcome
}

func ip(arguments ...string) error {
	return run(exec.Command("ip", arguments...))
}

// Runs lines of `ip` one after the other, up to the first that fails.
func batch(lines []string, options ...string) error {
	command := exec.Command("ip", append(options, "-batch", "-")...)
	command.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	return run(command)
}

func run(command *exec.Cmd) error {
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, output)
	}
	return nil
}
