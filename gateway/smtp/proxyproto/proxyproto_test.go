package proxyproto

import (
	"crypto/tls"
	"testing"
)

// TestCipherNames: proxies tell a cipher suite by OpenSSL's name.
func TestCipherNames(t *testing.T) {
	for name, want := range map[string]uint16{
		"ECDHE-RSA-AES128-GCM-SHA256": tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		"ECDHE-RSA-CHACHA20-POLY1305": tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-AES256-SHA": tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		"ECDHE-RSA-AES128-SHA256": tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, "AES128-GCM-SHA256": tls.TLS_RSA_WITH_AES_128_GCM_SHA256, "AES256-SHA": tls.TLS_RSA_WITH_AES_256_CBC_SHA,
		"DES-CBC3-SHA": tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, "TLS_AES_256_GCM_SHA384": tls.TLS_AES_256_GCM_SHA384, "TLS_CHACHA20_POLY1305_SHA256": tls.TLS_CHACHA20_POLY1305_SHA256,
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "DHE-RSA-CAMELLIA256-SHA": 0, "": 0,
	} {
		if got := cipherID(name); got != want {
			t.Errorf("%q: %s, want %s", name, tls.CipherSuiteName(got), tls.CipherSuiteName(want))
		}
	}
}

// FuzzProxy: a header is read whole or not at all, and its length is true.
func FuzzProxy(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 1000 25\r\nEHLO"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add(append(append([]byte{}, signatureV2...), 0x21, 0x11, 0, 12, 192, 0, 2, 1, 192, 0, 2, 2, 3, 232, 0, 25))
	f.Add(append(append([]byte{}, signatureV2...), 0x21, 0x11, 0, 20, 192, 0, 2, 1, 192, 0, 2, 2, 3, 232, 0, 25, 0x20, 0, 5, 1, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, n, err := Parse(in)
		if err != nil {
			return
		}
		if n <= 0 || n > len(in) {
			t.Fatalf("%q: length %d", in, n)
		}
		if again, m, err := Parse(in[:n]); err != nil || m != n || again.Source != h.Source {
			t.Fatalf("%q: the header alone reads differently", in)
		}
		if _, _, err := Parse(in[:n-1]); err == nil {
			t.Fatalf("%q: a header cut short is taken", in)
		}
	})
}
