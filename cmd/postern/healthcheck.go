package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"postern/cmd/internal/config"
)

// cmdHealthcheck asks a running gateway whether it is ready; for containers
// whose platform wants a command.
func cmdHealthcheck(ctx context.Context, s *stdio, args []string) error {
	fs := newFlags(s, "healthcheck", "[--url URL]\n\nAsks a running gateway whether it is ready; exits 1 when it isn't.")
	url := fs.String("url", "", "`address` to ask (default: /readyz at POSTERN_HTTP_ADDR)")
	if err := parseFlags(fs, args); err != nil {
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
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, *url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w: is postern serve running?", err)
	}
	defer resp.Body.Close()
	why, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s: %s", *url, resp.Status, why)
	}
	_, err = fmt.Fprintln(s.Out, "ready")
	return err
}

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
