package app

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/reload"
)

// loadCertificate reads the server's key pair, if there is one.
func (a *App) loadCertificate() (err error) {
	t := a.cfg.TLS
	if t.CertFile == "" {
		return nil
	}
	if a.certificate, err = reload.Certificate(a.deps.reload(), t.CertFile, t.KeyFile); err != nil {
		return config.Refuse("TLS_CERT_FILE", err)
	}
	return nil
}

// certificateEnd is when the certificate ends.
func (a *App) certificateEnd() time.Time { return a.certificate.Get().Leaf.NotAfter }

// serverTLS is the side of the SMTP server: the certificate and the authorities
// are those of the moment of each handshake. Clients are asked for certificates
// where authorities for them are named.
func (a *App) serverTLS() (*tls.Config, error) {
	t := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.certificate.Get(), nil },
	}
	if a.cfg.TLS.ClientCAFile == "" {
		return t, nil
	}
	authorities, err := reload.Authorities(a.deps.reload(), a.cfg.TLS.ClientCAFile)
	if err != nil {
		return nil, config.Refuse("TLS_CLIENT_CA_FILE", err)
	}
	t.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return askClients(t, authorities.Get()), nil }
	return t, nil
}

// askClients is the configuration with the authorities for clients.
func askClients(t *tls.Config, authorities *x509.CertPool) *tls.Config {
	t = t.Clone()
	t.ClientCAs, t.ClientAuth = authorities, tls.VerifyClientCertIfGiven
	return t
}
