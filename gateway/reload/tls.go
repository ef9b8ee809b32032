package reload

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// Certificate is a certificate chain with its private key, both PEM. It changes
// only when the two fit each other.
func Certificate(deps Deps, certFile, keyFile string) (*File[*tls.Certificate], error) {
	return Open(deps, func() (*tls.Certificate, error) {
		cert, err := Bytes(certFile, pemMax)
		if err != nil {
			return nil, err
		}
		key, err := Bytes(keyFile, pemMax)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w", certFile, keyFile, err)
		}
		return &pair, nil
	}, certFile, keyFile)
}

// Authorities are the certificates that a peer's is checked against, PEM.
func Authorities(deps Deps, file string) (*File[*x509.CertPool], error) {
	return Open(deps, func() (*x509.CertPool, error) {
		pem, err := Bytes(file, pemMax)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no PEM certificate", file)
		}
		return pool, nil
	}, file)
}

// pemMax bounds a file of certificates; the web's own authorities are 250 KB.
const pemMax = 4 << 20

// ErrNotAFile is returned for what is no file, is empty or is too large: a
// folder, a device, a file that is being written.
var ErrNotAFile = errors.New("not a file that can be read here")

// Bytes reads a file of at least one and at most max octets.
func Bytes(path string, max int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > max {
		return nil, fmt.Errorf("%s: %w: it must be a regular file of at most %d octets", path, ErrNotAFile, max)
	}
	b, err := os.ReadFile(path)
	if err == nil && len(b) == 0 {
		err = fmt.Errorf("%s: %w: it is empty", path, ErrNotAFile)
	}
	return b, err
}
