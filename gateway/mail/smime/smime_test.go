package smime

import (
	"bytes"
	"encoding/base64"
	"testing"
	"time"
)

// The same mail, signed with lengths told first, signed with an end that is marked,
// encrypted, and signed beside its content (by OpenSSL).
const (
	definite   = "MIIBOgYJKoZIhvcNAQcCoIIBKzCCAScCAQExDTALBglghkgBZQMEAgEwgYIGCSqGSIb3DQEHAaB1BHNDb250ZW50LVR5cGU6IG11bHRpcGFydC9taXhlZDsgYm91bmRhcnk9Yg0KDQotLWINCg0KaGVsbG8NCi0tYg0KQ29udGVudC1UeXBlOiBpbWFnZS9naWY7IG5hbWU9YS5naWYNCg0KZ2lmDQotLWItLQ0KMYGNMIGKAgEBMCQwDDEKMAgGA1UEAwwBYQIUEhUqJM0dSkL770VvxBWtSNVPj8wwCwYJYIZIAWUDBAIBMAoGCCqGSM49BAMCBEYwRAIgas9TK3xcpkYUvWiK9T/pEHFiTwamKHsBv1yrGun7uHwCIGJsEWn32YAqyRc5fNlhEjWCUn+Z6rKzi1PQesmLYM6d"
	indefinite = "MIAGCSqGSIb3DQEHAqCAMIACAQExDTALBglghkgBZQMEAgEwgAYJKoZIhvcNAQcBoIAkgARzQ29udGVudC1UeXBlOiBtdWx0aXBhcnQvbWl4ZWQ7IGJvdW5kYXJ5PWINCg0KLS1iDQoNCmhlbGxvDQotLWINCkNvbnRlbnQtVHlwZTogaW1hZ2UvZ2lmOyBuYW1lPWEuZ2lmDQoNCmdpZg0KLS1iLS0NCgAAAAAAADGBjzCBjAIBATAkMAwxCjAIBgNVBAMMAWECFBIVKiTNHUpC++9Fb8QVrUjVT4/MMAsGCWCGSAFlAwQCATAKBggqhkjOPQQDAgRIMEYCIQDMES0uClQ3K8R4W5sXjhAbdK3hbNC5SD+Ep5B7EPyuuAIhAKrr2CXWitvreAUbUSF4p3qshQJ7RfSsiPGsHUeXc5K7AAAAAAAA"
	encrypted  = "MIIBggYJKoZIhvcNAQcDoIIBczCCAW8CAQIxgcuhgcgCAQOgUaFPMAkGByqGSM49AgEDQgAEq+Kmmd14Nep9MyIXuGOipSLNBgM9WylQImW5dpmw+kOXcTlPUBpcSRU6nWHmtotFcn1iUHcrU1XHQjA6SY6ttTAcBgkrgQUQhkg/AAIwDwYLKoZIhvcNAQkQAwYFADBSMFAwJDAMMQowCAYDVQQDDAFhAhQSFSokzR1KQvvvRW/EFa1I1U+PzAQorPzZQQqrBGdBGcO4vSFzglXungsLgT258UKijAi4zMOOYS44ialSIjCBmwYJKoZIhvcNAQcBMBQGCCqGSIb3DQMHBAh0xTk9k0GxPIB4mxIjL97apMsx2VI0mP7+6dy4/RcoGhro1ton+ULfSioWPILu+AYPq0ziyOH/mfaM1131AZuMgfrQqUSjXZwj0vvdYKlURd3J9i5l1YTAu8EroYWm3xuoHoEg1jzK7htbCgLmsIp3hFj23e1jKcPgqz1+AYAwBGT7"
	detached   = "MIHBBgkqhkiG9w0BBwKggbMwgbACAQExDTALBglghkgBZQMEAgEwCwYJKoZIhvcNAQcBMYGOMIGLAgEBMCQwDDEKMAgGA1UEAwwBYQIUEhUqJM0dSkL770VvxBWtSNVPj8wwCwYJYIZIAWUDBAIBMAoGCCqGSM49BAMCBEcwRQIgc6U+QFUhXWskvpVrum7nwk9TNUOAfpPMOqIsoWsRJ3ECIQCABBQM5J45G3bklTbA98SaZu21n7QRtCB3KcFRXoIGgA=="
)

const signed = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\nContent-Type: image/gif; name=a.gif\r\n\r\ngif\r\n--b--\r\n"

func octets(t testing.TB, s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestContent(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"lengths first": {definite, signed}, "a marked end": {indefinite, signed}, "encrypted": {encrypted, ""}, "no content": {detached, ""},
	} {
		b := octets(t, tt.in)
		got, ok := Content(b)
		if string(got) != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
		for i := range b { // cut anywhere: all of it, or nothing
			if got, ok := Content(b[:i]); ok && string(got) != tt.want {
				t.Errorf("%s, %d octets: %q", name, i, got)
			}
		}
	}
	if got, ok := Content([]byte("Content-Type: text/plain\r\n\r\nno signature")); ok {
		t.Errorf("%q", got)
	}
}

// TestLongLength: a length that an int of 32 bits doesn't hold is no value's.
func TestLongLength(t *testing.T) {
	for _, n := range []byte{0x7f, 0x80, 0xff} {
		b := []byte{0x30, 0x84, n, 0xff, 0xff, 0xff, 1, 2, 3}
		if v, ok := next(&b, 0); ok {
			t.Errorf("%x: %x", n, v.body)
		}
	}
}

// TestPieces: a content may come in pieces, and pieces of pieces.
func TestPieces(t *testing.T) {
	b := octets(t, indefinite)
	i := bytes.Index(b, []byte{0x24, 0x80})
	pieces := []byte{0x24, 0x80, 0x04, 0x01, 'a', 0x24, 0x06, 0x04, 0x01, 'b', 0x04, 0x01, 'c', 0x04, 0x00, 0, 0, 0, 0, 0, 0}
	if got, ok := Content(append(append([]byte{}, b[:i]...), pieces...)); ok {
		t.Errorf("cut off behind the content: %q", got)
	}
	whole := append(append(append([]byte{}, b[:i]...), pieces...), make([]byte, 6)...)
	if got, ok := Content(whole); !ok || string(got) != "abc" {
		t.Errorf("%q, %v", got, ok)
	}
}

// TestLinear: what a stranger makes deep or long costs little.
func TestLinear(t *testing.T) {
	head := octets(t, indefinite)[:50]
	for name, in := range map[string][]byte{
		"deep": bytes.Repeat([]byte{0x30, 0x80}, 1<<19), "deep strings": append(bytes.Clone(head), bytes.Repeat([]byte{0x24, 0x80}, 1<<19)...),
		"many": append(bytes.Clone(head), append([]byte{0x24, 0x80}, bytes.Repeat([]byte{0x04, 0x00}, 1<<20)...)...),
	} {
		start := time.Now()
		Content(in)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: %v", name, took)
		}
	}
}

func FuzzContent(f *testing.F) {
	for _, s := range []string{definite, indefinite, encrypted, detached} {
		f.Add(octets(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, ok := Content(b); ok && len(got) > len(b) {
			t.Fatalf("%d octets of %d", len(got), len(b))
		}
	})
}
