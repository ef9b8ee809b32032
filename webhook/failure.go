package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Causes by which a POST is given up.
var (
	// ErrTimeout says that no answer came within the endpoint's TIMEOUT.
	ErrTimeout = errors.New("no answer in time")
	// ErrStalled says that the webhook stopped taking the request.
	ErrStalled = errors.New("the webhook stopped taking the request")
)

// errUnreadable marks a message that could not be read from its store.
var errUnreadable = errors.New("the stored message could not be read")

// errNoPlace marks a message that found no place at a processor in time.
var errNoPlace = errors.New("no place to sign the message came free")

// reasonOf sorts the error of a POST that had no answer.
func reasonOf(err error) Reason {
	var dns *net.DNSError
	switch {
	case errors.Is(err, errUnreadable):
		return ReasonRender
	case errors.As(err, &dns):
		return ReasonDNS
	case errors.Is(err, ErrTimeout), errors.Is(err, ErrStalled), errors.Is(err, context.Canceled), isTimeout(err):
		return ReasonTimeout
	case isTLS(err):
		return ReasonTLS
	default:
		return ReasonConnect
	}
}

// isTimeout knows a deadline that passed: a socket's, a context's, a look-up's.
func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// isTLS knows a failed handshake by its words, with which each error of crypto/tls
// and crypto/x509 begins; they have no common type.
func isTLS(err error) bool {
	if err == nil {
		return false
	}
	s := err.Error()
	return strings.Contains(s, "tls: ") || strings.Contains(s, "x509: ") || strings.Contains(s, "HTTP response to HTTPS client")
}

// noAnswer is the error for people: without the URL, which may hold secrets.
func noAnswer(err error) error {
	if err == nil {
		return errors.New("no answer came")
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("no answer from the webhook: %w", err)
}
