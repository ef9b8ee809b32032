package reload

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// makePair makes a certificate of its own authority, with its key, as PEM.
func makePair(t *testing.T, serial int64) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// Between the certificate's exchange and the key's, the old pair serves.
func TestCertificateChangesWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, at := t.TempDir(), time.Now().Add(-time.Hour)
		certFile, keyFile := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
		cert1, key1 := makePair(t, 1)
		cert2, key2 := makePair(t, 2)
		write(t, certFile, cert1, at)
		write(t, keyFile, key1, at)
		f, err := Certificate(Deps{}, certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			path, text string
			want       int64
		}{{certFile, cert2, 1}, {keyFile, key2, 2}, {keyFile, key1, 2}, {certFile, "no PEM", 2}, {certFile, cert1, 1}} {
			at = at.Add(time.Minute)
			write(t, step.path, step.text, at)
			time.Sleep(Every)
			if got := f.Get().Leaf.SerialNumber.Int64(); got != step.want {
				t.Errorf("after a change of %s: certificate %d, want %d", filepath.Base(step.path), got, step.want)
			}
		}
	})
}

func TestAuthorities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "ca")
		cert1, _ := makePair(t, 1)
		cert2, key2 := makePair(t, 2)
		write(t, file, cert1, time.Now().Add(-time.Hour))
		f, err := Authorities(Deps{}, file)
		if err != nil {
			t.Fatal(err)
		}
		old := f.Get()
		write(t, file, key2, time.Now().Add(-time.Minute))
		time.Sleep(Every)
		if !f.Get().Equal(old) {
			t.Error("a key was taken for an authority")
		}
		write(t, file, cert2, time.Now().Add(-time.Minute))
		time.Sleep(Every)
		if f.Get().Equal(old) {
			t.Error("the new authority doesn't count")
		}
		if _, err := Authorities(Deps{}, filepath.Join(filepath.Dir(file), "none")); !os.IsNotExist(err) {
			t.Errorf("no file: %v", err)
		}
	})
}
