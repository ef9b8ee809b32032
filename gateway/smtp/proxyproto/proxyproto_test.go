package proxyproto

import "testing"

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
