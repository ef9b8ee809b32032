package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
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

// reasonOf sorts the error of a POST that had no answer.
func reasonOf(err error) Reason {
	var dns *net.DNSError
	switch {
	case errors.Is(err, errUnreadable):
		return ReasonRender
	case errors.As(err, &dns):
		return ReasonDNS
	case errors.Is(err, ErrTimeout), errors.Is(err, ErrStalled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return ReasonTimeout
	case isTLS(err):
		return ReasonTLS
	default:
		return ReasonConnect
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// isTLS knows a failed handshake; crypto/tls has no common type for it.
func isTLS(err error) bool {
	if err == nil {
		return false
	}
	var (
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	if errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) {
		return true
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
