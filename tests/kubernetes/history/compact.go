// Package history forgets the past of a cluster: what a watch may ask for again.
package history

import (
	"context"
	"flag"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// How long etcd may take.
const patience = 30 * time.Second

// Compact makes etcd forget every version of every key but the newest ones, and prints the
// revision that its history begins with. An API server that runs has kept some of it in memory.
func Compact(arguments []string) error {
	flags := flag.NewFlagSet("compact", flag.ContinueOnError)
	endpoint := flags.String("endpoint", "http://127.0.0.1:2379", "where etcd is")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{*endpoint}})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// Any answer tells the revision, that of a key which is not there too.
	answer, err := client.Get(ctx, "none")
	if err != nil {
		return err
	}
	revision := answer.Header.Revision
	if _, err := client.Compact(ctx, revision, clientv3.WithCompactPhysical()); err != nil {
		return err
	}
	fmt.Println(revision)
	return nil
}
