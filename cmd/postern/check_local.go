package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"time"

	"postern/cmd/internal/app"
	"postern/cmd/internal/config"
	"postern/retry/s3"
)

// certificateSoon is when an expiry is worth a word.
const certificateSoon = 14 * 24 * time.Hour

func (k *checks) certificate(c *config.Config) {
	t := c.TLS
	if t.CertFile == "" {
		k.say("note", "no certificate: mail comes in the clear; POSTERN_TLS_CERT_FILE and POSTERN_TLS_KEY_FILE turn STARTTLS on")
		return
	}
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		k.fail("certificate: %v", err)
		return
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		k.fail("certificate %s: %v", t.CertFile, err)
		return
	}
	left := time.Until(leaf.NotAfter)
	switch {
	case left <= 0:
		k.fail("certificate %s expired on %s: renew it", t.CertFile, leaf.NotAfter.Format(time.DateOnly))
	case leaf.VerifyHostname(c.Listen.Domain) != nil:
		k.fail("certificate %s is for %s, not for %s: set POSTERN_DOMAIN to the name that the MX record has", t.CertFile, strings.Join(leaf.DNSNames, ", "), c.Listen.Domain)
	case left < certificateSoon:
		k.say("warning", "certificate %s expires in %s", t.CertFile, short(left))
	default:
		k.ok("certificate %s is for %s until %s", t.CertFile, c.Listen.Domain, leaf.NotAfter.Format(time.DateOnly))
	}
}

// store looks whether a sqlite store's folder can be written.
func (k *checks) store(c *config.Config) {
	folder := c.Delivery.Store.Folder()
	if folder == "" {
		return
	}
	if err := writable(folder); err != nil {
		k.fail("store %s: %v: make the folder writable, or set POSTERN_RETRY_STORE", folder, err)
		return
	}
	k.ok("store %s can be written", folder)
}

// bodiesLimit is for trying the object store.
const bodiesLimit = 30 * time.Second

// bodies tries the object store for large bodies: an object is stored, read,
// listed and deleted.
func (k *checks) bodies(ctx context.Context, c *config.Config) {
	place := c.Delivery.BodyStore
	store, err := app.OpenBodies(place)
	if err != nil || store == nil {
		if err != nil {
			k.fail("%v", err)
		}
		return
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(ctx, bodiesLimit)
	defer cancel()
	if err := store.Check(ctx); err != nil {
		mend := s3.Hint(err)
		if mend != "" {
			mend = ": " + mend
		}
		k.fail("object store %s: %v%s", place, err, mend)
		return
	}
	k.ok("object store %s takes, gives, lists and deletes objects", place)
}

func writable(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".writable-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
