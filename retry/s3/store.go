package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"postern/retry/engine"
)

// Times of a request. A transfer has its own: so long, and more with its size.
const (
	dialLimit   = 3 * time.Second
	headerLimit = 15 * time.Second // from the request's last octet to the answer's header
	shortLimit  = 15 * time.Second // for a request without a body
	slowest     = 1 << 20          // octets a second that a transfer must make at least
	tries       = 2                // of a request, where the service says that it may be made again
)

// Store is a bucket's folder.
type Store struct {
	cfg   Config
	log   *slog.Logger
	core  *minio.Core
	http  *http.Transport
	local *engine.Locals
	state state

	stop context.CancelFunc
	done sync.WaitGroup
}

var _ engine.Bodies = (*Store)(nil)

// Deps are the parts that a Store works with.
type Deps struct {
	Logger *slog.Logger // nil: none
}

// Open makes a store and begins to look after it until Close; a service that is
// away now is used when it is back. Credentials are looked for as everywhere:
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, the shared
// credentials file, a web identity, the container's, and the machine's.
func Open(cfg Config, deps Deps) (*Store, error) {
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: cfg, log: deps.Logger, local: engine.NewLocals(cfg.Dir, cfg.LocalBytes)}
	s.state.log = deps.Logger
	host, secure := "s3.amazonaws.com", true
	if cfg.Endpoint != nil {
		host, secure = cfg.Endpoint.Host, cfg.Endpoint.Scheme == "https"
	}
	var err error
	if s.http, err = transport(cfg.Authorities); err != nil {
		return nil, err
	}
	creds := credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
	})
	s.state.refused = creds.Expire // a file that was changed is read again
	s.core, err = minio.NewCore(host, &minio.Options{
		Creds:  creds,
		Secure: secure, Transport: s.http, Region: cfg.Region, MaxRetries: tries,
	})
	if err != nil {
		return nil, fmt.Errorf("the object store's address: %w", err)
	}
	run, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.done.Go(func() { s.watch(run) })
	return s, nil
}

// Close ends what looks after the store and lets go of what is held for it.
func (s *Store) Close() error {
	s.stop()
	s.done.Wait()
	s.http.CloseIdleConnections()
	return s.local.Close()
}

func transport(authorities string) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialLimit}).DialContext,
		TLSHandshakeTimeout:   2 * dialLimit,
		ResponseHeaderTimeout: headerLimit,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true,
	}
	if authorities == "" {
		return t, nil
	}
	pem, err := os.ReadFile(authorities)
	if err != nil {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %s holds no certificate", authorities)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// key is a body's name in the bucket.
func (s *Store) key(name string) string { return s.cfg.Prefix + name }

// limit is how long a transfer of so many octets may take.
func limit(size int64) time.Duration {
	return shortLimit + time.Duration(size/slowest)*time.Second
}
