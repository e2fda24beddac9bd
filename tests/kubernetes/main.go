// Command cluster is the parts of a Kubernetes cluster that the tests run, as one program. Which
// part is its first argument, or the name that it is called by; everything after it is that
// part's own.
//
// Most parts are the real ones, linked as ordinary modules. A kubelet that runs containers from
// images is not: [kubelet] is a small stand-in for it, whose images are programs of this machine.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "k8s.io/component-base/logs/json/register"
)

func main() {
	if run, ok := parts[filepath.Base(os.Args[0])]; ok {
		run()
		return
	}
	if len(os.Args) > 1 {
		if run, ok := parts[os.Args[1]]; ok {
			os.Args = os.Args[1:]
			run()
			return
		}
	}
	names := strings.Join(slices.Sorted(maps.Keys(parts)), "|")
	fmt.Fprintf(os.Stderr, "usage: cluster %s ARG...\n", names)
	os.Exit(2)
}
