package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/gateway/text"
	"postern/webhook/call"
)

// cmdHealthcheck asks a running gateway whether it is ready; for containers
// whose platform wants a command.
func cmdHealthcheck(ctx context.Context, s *stdio, args []string) error {
	fs := cli.NewFlags("healthcheck", "[--url URL]\n\nAsks a running gateway whether it is ready; exits 1 when it isn't.")
	url := fs.String("url", "", "`address` to ask (default: /readyz at POSTERN_HTTP_ADDR)")
	if err := fs.Parse(args, 0, 0); err != nil {
		return err
	}
	if *url == "" {
		c, err := config.Read(s.Environ)
		if err != nil {
			return err
		}
		if *url, err = readyURL(c.Listen.HTTPAddr); err != nil {
			return err
		}
	}
	client, err := call.New(call.Config{URL: *url, Timeout: healthTimeout, MaxAnswer: 1024}, call.Deps{})
	if err != nil {
		return cli.Misuse("--url: %v", err)
	}
	stop := cli.Watch(s.Err, func() string { return "asking " + text.RedactURL(*url) + " …" })
	a, err := client.Get(ctx)
	stop()
	if err != nil {
		return fmt.Errorf("%w: is postern serve running?", err)
	}
	if a.Status != http.StatusOK {
		return fmt.Errorf("%s answered %d %s: %s", *url, a.Status, http.StatusText(a.Status), a.Body)
	}
	_, err = fmt.Fprintln(s.Out, "ready")
	return err
}

// healthTimeout is shorter than the usual ten seconds of a container's check.
const healthTimeout = 5 * time.Second

// readyURL is where a gateway on this machine tells whether it is ready.
func readyURL(addr config.Addr) (string, error) {
	host, port, err := net.SplitHostPort(string(addr))
	if err != nil {
		return "", fmt.Errorf("POSTERN_HTTP_ADDR is off: there is nobody to ask")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz", nil
}
