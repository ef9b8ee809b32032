package files

import (
	"bytes"
	"fmt"
	"testing"

	"postern/gateway/kept/kepttest"
)

// BenchmarkPut is what keeping a mail of 5 KB costs.
func BenchmarkPut(b *testing.B) {
	s, err := Open(b.TempDir(), Options{MaxBytes: 1 << 30, MinFree: 1})
	if err != nil {
		b.Fatal(err)
	}
	r, body := kepttest.Record(1, 5<<10)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		r.ID = fmt.Sprintf("0m%09d", n)
		if err := s.Put(b.Context(), r, bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
}
