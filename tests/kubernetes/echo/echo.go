// Package echo is the server that pods of the tests run: it tells who answered what, to whom.
package echo

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// An answer, as JSON.
type answer struct {
	// The pod that answers: its host name is its name.
	Pod     string      `json:"pod"`
	Request string      `json:"request"`
	Host    string      `json:"host"`
	Headers http.Header `json:"headers"`
	// Who sent it, as the socket knows.
	Peer string `json:"peer"`
	Body string `json:"body,omitempty"`
}

// Run serves until it is told to end. Then it goes on serving for a while, since whoever sends
// learns later than it that it leaves, and ends once all requests are answered.
func Run(arguments []string) error {
	flags := flag.NewFlagSet("echo", flag.ContinueOnError)
	web := flags.String("http", ":8080", "where to serve HTTP")
	plain := flags.String("tcp", "", "where to serve plain TCP")
	linger := flags.Duration("linger", 0, "how long to go on serving after SIGTERM")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if *plain != "" {
		listener, err := net.Listen("tcp", *plain)
		if err != nil {
			return err
		}
		go serveStreams(listener, name)
	}
	server := &http.Server{Addr: *web, Handler: handler(name)}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-told.Done():
	}
	time.Sleep(*linger)
	if err := server.Shutdown(context.Background()); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Answers everything. `?wait=50ms` answers later, `?status=503` with another status, and what is
// sent comes back.
func handler(name string) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		query := request.URL.Query()
		if wait, err := time.ParseDuration(query.Get("wait")); err == nil {
			time.Sleep(wait)
		}
		writer.Header().Set("Content-Type", "application/json")
		if status, err := strconv.Atoi(query.Get("status")); err == nil {
			writer.WriteHeader(status)
		}
		_ = json.NewEncoder(writer).Encode(answer{
			Pod:     name,
			Request: request.Method + " " + request.RequestURI + " " + request.Proto,
			Host:    request.Host,
			Headers: request.Header,
			Peer:    request.RemoteAddr,
			Body:    string(body),
		})
	}
}

// Tells each who connects the pod's name and who they are, in one line, and then repeats what
// they say.
func serveStreams(listener net.Listener, name string) {
	for {
		stream, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer stream.Close()
			_, _ = io.WriteString(stream, name+" "+stream.RemoteAddr().String()+"\n")
			_, _ = io.Copy(stream, stream)
		}()
	}
}
