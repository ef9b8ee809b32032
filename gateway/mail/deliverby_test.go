package mail

import (
	"fmt"
	"testing"
	"time"
)

func TestDeadlines(t *testing.T) {
	received := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	for by, want := range map[string]string{
		"120;R": "2m0s -", "120;r": "2m0s -", "120;RT": "2m0s -", "60;N": "- 1m0s", "-60;N": "- -1m0s", "0;nt": "- 0s", "": "- -", "120": "- -", "x;R": "- -", "999999999;R": "277777h46m39s -",
	} {
		e := Envelope{Received: received, DSN: &DSN{By: by}}
		show := func(at time.Time, ok bool) string {
			if !ok {
				return "-"
			}
			return at.Sub(received).String()
		}
		if got := fmt.Sprint(show(e.ReturnBy()), " ", show(e.TellBy())); got != want {
			t.Errorf("BY=%s: %s, want %s", by, got, want)
		}
	}
	if _, ok := new(Envelope).ReturnBy(); ok {
		t.Error("a deadline without DELIVERBY")
	}
}
