package kubelet

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// What the command line says.
type options struct {
	kubeconfig string
	node       string
	state      string
	// What names of network namespaces begin with.
	prefix string
	// Addresses of the node, and of its pods: one of each family at most, in the same order.
	addresses []netip.Addr
	ranges    []netip.Prefix
	images    images
	// Between two signs of life.
	beat time.Duration
}

func parse(arguments []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("kubelet", flag.ContinueOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "who it is to the API server")
	flags.StringVar(&o.node, "node", "", "name of its node")
	flags.StringVar(&o.state, "state", "", "its folder")
	flags.StringVar(&o.prefix, "prefix", "", "what names of network namespaces begin with")
	flags.DurationVar(&o.beat, "beat", time.Second, "time between two signs of life")
	flags.Func("address", "address of the node; once for each family", func(text string) error {
		address, err := netip.ParseAddr(text)
		o.addresses = append(o.addresses, address)
		return err
	})
	flags.Func("pod-cidr", "range of addresses of pods; as many", func(text string) error {
		prefix, err := netip.ParsePrefix(text)
		o.ranges = append(o.ranges, prefix)
		return err
	})
	flags.Func("image", "NAME=PROGRAM: what runs for images that begin so", func(text string) error {
		name, program, ok := strings.Cut(text, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=PROGRAM", text)
		}
		o.images = append(o.images, standIn{name, program})
		return nil
	})
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if o.kubeconfig == "" || o.node == "" || o.state == "" {
		return o, errors.New("--kubeconfig, --node and --state are needed")
	}
	if len(o.addresses) == 0 || len(o.addresses) != len(o.ranges) {
		return o, errors.New("each --address needs its --pod-cidr")
	}
	return o, nil
}
