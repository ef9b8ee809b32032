package s3

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// Config is where bodies are put.
type Config struct {
	Bucket string
	Prefix string // "" or a path that ends in a slash
	// Endpoint is the service's address; nil is Amazon's. Its buckets are
	// addressed by path, Amazon's by host name.
	Endpoint *url.URL
	Region   string // "" asks the service
	// Authorities is a file of more certificate authorities, PEM; "": none.
	Authorities string
	// Dir is where bodies lie while they are read; "" is the system's folder for
	// temporary files.
	Dir string
	// LocalBytes bounds the bodies in Dir, one that is larger aside; 0 is 1 GiB.
	LocalBytes int64
}

// ErrAddress is returned for an address that isn't s3://bucket/prefix.
var ErrAddress = errors.New("it must be s3://bucket or s3://bucket/prefix")

// ParseAddress reads s3://bucket/prefix.
func ParseAddress(address string) (Config, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil || u.Port() != "" || u.RawQuery != "" || u.Fragment != "" {
		return Config{}, ErrAddress
	}
	c := Config{Bucket: u.Host}
	if p := strings.Trim(u.Path, "/"); p != "" {
		c.Prefix = p + "/"
	}
	return c, nil
}

// Environ completes a configuration from the usual variables: AWS_ENDPOINT_URL_S3
// or AWS_ENDPOINT_URL, AWS_REGION or AWS_DEFAULT_REGION, AWS_CA_BUNDLE.
func (c Config) Environ() (Config, error) {
	first := func(names ...string) (name, value string) {
		for _, n := range names {
			if v := os.Getenv(n); v != "" {
				return n, v
			}
		}
		return "", ""
	}
	if name, v := first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"); v != "" {
		u, err := url.Parse(v)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			return c, fmt.Errorf("%s=%q must be http://host:port or https://host", name, v)
		}
		c.Endpoint = u
	}
	_, c.Region = first("AWS_REGION", "AWS_DEFAULT_REGION")
	_, c.Authorities = first("AWS_CA_BUNDLE")
	return c, nil
}
