package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// clientTLS is the TLS side of an endpoint: its authorities and our certificate.
func clientTLS(c Config) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(c.Concurrency)}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CA_FILE: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA_FILE: %s holds no PEM certificate", c.CAFile)
		}
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return nil, errors.New("CERT_FILE, KEY_FILE: a client certificate needs both")
	}
	if c.CertFile != "" {
		k := &keyPair{cert: c.CertFile, key: c.KeyFile}
		if _, err := k.current(); err != nil {
			return nil, fmt.Errorf("CERT_FILE, KEY_FILE: %w", err)
		}
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return k.current() }
	}
	return t, nil
}

// keyPair is a client certificate that is read again when its file changes.
type keyPair struct {
	cert, key string

	mu     sync.Mutex
	loaded *tls.Certificate
	mtime  time.Time
}

func (k *keyPair) current() (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	st, err := os.Stat(k.cert)
	if err == nil && k.loaded != nil && st.ModTime().Equal(k.mtime) {
		return k.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(k.cert, k.key)
	if err != nil {
		if k.loaded != nil { // half way through a rotation the last pair holds
			return k.loaded, nil
		}
		return nil, err
	}
	k.loaded = &pair
	if st != nil {
		k.mtime = st.ModTime()
	}
	return k.loaded, nil
}
