package history_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/gateway/history"
	"postern/gateway/history/historytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRing(t *testing.T) {
	historytest.Run(t, func(*testing.T) history.Store {
		return history.NewRing(history.RingRecords, history.RingOctets, time.Now)
	})
}

func TestRingIsBounded(t *testing.T) {
	ring := history.NewRing(3, 1<<20, time.Now)
	var b history.Batch
	for n := range 5 {
		b.Records = append(b.Records, historytest.Record(n))
	}
	if err := ring.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if found, _, _ := ring.Find(t.Context(), history.Query{}); len(found) != 3 || found[2].ID != b.Records[2].ID {
		t.Errorf("kept %d", len(found))
	}
	big := historytest.Record(9)
	big.To = make([]history.Recipient, 40_000)
	if err := ring.Write(t.Context(), history.Batch{Records: []history.Record{big}}); err != nil {
		t.Fatal(err)
	}
	if found, _, _ := ring.Find(t.Context(), history.Query{}); len(found) != 0 {
		t.Errorf("more octets than the bound keep %d records", len(found))
	}
}
