package webhook

import (
	"crypto/tls"
	"crypto/x509"
)

// clientTLS is the TLS side of an endpoint at a host: its authorities and our
// certificate, both those of the moment of each handshake.
func clientTLS(c Config, host string) *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(c.Concurrency)}
	if c.Authorities != nil {
		// A pool in RootCAs would be that of the start for ever. The same check,
		// with the pool of now, stands in its place; it is made for resumed
		// sessions too.
		t.InsecureSkipVerify = true
		t.VerifyConnection = func(s tls.ConnectionState) error { return verify(s.PeerCertificates, c.Authorities(), host) }
	}
	if c.Certificate != nil {
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.Certificate(), nil }
	}
	return t
}

// verify holds a peer's chain to the authorities and its certificate to the
// host, a name or an address.
func verify(chain []*x509.Certificate, roots *x509.CertPool, host string) error {
	o := x509.VerifyOptions{Roots: roots, DNSName: host, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(o); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}
