package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"

	"postern/cmd/internal/config"
)

// keyPair is a certificate that is read again when its file changes. While the
// new one is broken, the old one serves.
type keyPair struct {
	certFile, keyFile string

	mu      sync.Mutex
	current *tls.Certificate
	changed time.Time // of the files that current was read from
	checked time.Time
}

// keyPairCheckEvery is how often a handshake looks at the files.
const keyPairCheckEvery = time.Second

func newKeyPair(certFile, keyFile string) (*keyPair, error) {
	k := &keyPair{certFile: certFile, keyFile: keyFile}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, config.Refuse("TLS_CERT_FILE", err)
	}
	k.current, k.changed, k.checked = &cert, k.modified(), time.Now()
	return k, nil
}

// loadCertificate reads the server's key pair, if there is one.
func (a *App) loadCertificate() (err error) {
	if a.cfg.TLS.CertFile != "" {
		a.certificate, err = newKeyPair(a.cfg.TLS.CertFile, a.cfg.TLS.KeyFile)
	}
	return err
}

// notAfter is when the certificate ends.
func (k *keyPair) notAfter() time.Time {
	cert, err := k.get(nil)
	if err != nil || cert.Leaf == nil {
		return time.Time{}
	}
	return cert.Leaf.NotAfter
}

// get implements tls.Config.GetCertificate.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.Sub(k.checked) >= keyPairCheckEvery {
		k.checked = now
		if at := k.modified(); !at.Equal(k.changed) {
			if cert, err := tls.LoadX509KeyPair(k.certFile, k.keyFile); err == nil {
				k.current, k.changed = &cert, at
			}
		}
	}
	return k.current, nil
}

// modified is when the younger of the two files changed.
func (k *keyPair) modified() time.Time {
	var latest time.Time
	for _, f := range []string{k.certFile, k.keyFile} {
		if info, err := os.Stat(f); err == nil && info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest
}

func readCAs(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, config.Refuse("TLS_CLIENT_CA_FILE", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, config.Refuse("TLS_CLIENT_CA_FILE", fmt.Errorf("%s holds no PEM certificate", file))
	}
	return pool, nil
}
