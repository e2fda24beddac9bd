// Peers of HTTP/2 for tests: h2spec, which holds a server to the standard, and gRPC's own
// interoperability tests, with the server that they ask.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/summerwind/h2spec"
	"github.com/summerwind/h2spec/config"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == "h2spec" {
		end(spec(os.Args[2], os.Args[3]))
	}
	if len(os.Args) == 2 && os.Args[1] == "grpc-server" {
		end(serve())
	}
	if len(os.Args) == 3 && os.Args[1] == "grpc-client" {
		end(ask(os.Args[2]))
	}
	end(fmt.Errorf("h2spec HOST PORT | grpc-server | grpc-client ADDRESS"))
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func spec(host, port string) error {
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	passed, err := h2spec.Run(&config.Config{
		Host:         host,
		Port:         number,
		Path:         "/",
		Timeout:      10 * time.Second,
		MaxHeaderLen: 4000,
		Strict:       true,
	})
	if err == nil && !passed {
		err = fmt.Errorf("not all passed")
	}
	return err
}

// Says its address, and serves until its standard input ends.
func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	fmt.Println(listener.Addr())
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	return server.Serve(listener)
}

// What fails ends the program.
func ask(address string) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client := testgrpc.NewTestServiceClient(connection)
	unimplemented := testgrpc.NewUnimplementedServiceClient(connection)
	for _, test := range []struct {
		name string
		run  func()
	}{
		{"empty unary", func() { interop.DoEmptyUnaryCall(ctx, client) }},
		{"large unary", func() { interop.DoLargeUnaryCall(ctx, client) }},
		{"client streaming", func() { interop.DoClientStreaming(ctx, client) }},
		{"server streaming", func() { interop.DoServerStreaming(ctx, client) }},
		{"ping pong", func() { interop.DoPingPong(ctx, client) }},
		{"empty stream", func() { interop.DoEmptyStream(ctx, client) }},
		{"cancel after begin", func() { interop.DoCancelAfterBegin(ctx, client) }},
		{"cancel after first response", func() { interop.DoCancelAfterFirstResponse(ctx, client) }},
		{"custom metadata", func() { interop.DoCustomMetadata(ctx, client) }},
		{"status code and message", func() { interop.DoStatusCodeAndMessage(ctx, client) }},
		{"special status message", func() { interop.DoSpecialStatusMessage(ctx, client) }},
		{"unimplemented method", func() { interop.DoUnimplementedMethod(ctx, connection) }},
		{"unimplemented service", func() { interop.DoUnimplementedService(ctx, unimplemented) }},
	} {
		test.run()
		fmt.Println("ok", test.name)
	}
	return nil
}
