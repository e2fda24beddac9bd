package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	helm "helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	"steelyard.dev/tests/kubernetes/container"
	"steelyard.dev/tests/kubernetes/echo"
	"steelyard.dev/tests/kubernetes/history"
	"steelyard.dev/tests/kubernetes/keys"
	"steelyard.dev/tests/kubernetes/kubelet"
)

// What each part is called, and how it runs: its arguments are those of the process.
var parts = map[string]func(){
	"etcd":        func() { etcdmain.Main(os.Args) },
	"apiserver":   of(apiserver.NewAPIServerCommand),
	"controllers": of(controllers.NewControllerManagerCommand),
	"scheduler":   of(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"proxy":       of(proxy.NewProxyCommand),
	"kubectl":     of(kubectl.NewDefaultKubectlCommand),
	"helm":        runHelm,

	"compact":   own(history.Compact),
	"container": own(container.Run),
	"echo":      own(echo.Run),
	"kubelet":   own(kubelet.Run),
	"keys":      own(keys.Run),
}

func of(command func() *cobra.Command) func() {
	return func() { os.Exit(cli.Run(command())) }
}

// A part of our own, which says why it did not work.
func own(run func([]string) error) func() {
	return func() {
		if err := run(os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
			os.Exit(1)
		}
	}
}

// As helm's own main does it.
func runHelm() {
	kube.ManagedFieldsManager = "helm"
	command, err := helm.NewRootCmd(os.Stdout, os.Args[1:], helm.SetupLogging)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// It tells by itself what went wrong.
	err = command.Execute()
	if coded := (helm.CommandError{}); errors.As(err, &coded) {
		os.Exit(coded.ExitCode)
	}
	if err != nil {
		os.Exit(1)
	}
}
