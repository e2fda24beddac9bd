package kubelet

import (
	"net/netip"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestAddressesAreUsedAgainLate(t *testing.T) {
	ranges := []netip.Prefix{netip.MustParsePrefix("10.1.1.0/29")}
	n := &network{
		ranges: ranges, used: map[netip.Addr]types.UID{}, last: []netip.Addr{gateway(ranges[0])},
	}
	take := func(want string) {
		t.Helper()
		addresses, err := n.take("pod")
		if err != nil || addresses[0] != netip.MustParseAddr(want) {
			t.Fatalf("%v, %v instead of %s", addresses, err, want)
		}
	}
	take("10.1.1.2")
	take("10.1.1.3")
	delete(n.used, netip.MustParseAddr("10.1.1.2"))
	for _, address := range []string{"10.1.1.4", "10.1.1.5", "10.1.1.6", "10.1.1.7"} {
		take(address)
	}
	// The first is free again, and the last that is left.
	take("10.1.1.2")
	if addresses, err := n.take("pod"); err == nil {
		t.Fatalf("%v was free", addresses)
	}
}
