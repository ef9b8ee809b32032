package webhook

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second
	// writeBuffer takes a small mail's header and body in one write.
	writeBuffer = 16 << 10
)

// NewTransport is how every request of ours travels, to a webhook, a directory
// or whoever else is called: so many connections kept, through a proxy where
// one is set, tls nil for the system's authorities. It speaks HTTP/1.1 only:
// one request a connection makes "the request's last octet" a moment that can
// be measured.
func NewTransport(connections int, tls *tls.Config, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	return &http.Transport{
		Proxy:               proxy,
		DialContext:         dial(&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}),
		TLSClientConfig:     tls,
		TLSHandshakeTimeout: handshakeTimeout,
		MaxIdleConns:        connections,
		MaxIdleConnsPerHost: connections,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true,
		WriteBufferSize:     writeBuffer,

		MaxResponseHeaderBytes: maxAnswer,
	}
}
