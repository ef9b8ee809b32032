package history

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What caused the answer comes before it, what came of it after.
func TestStory(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	for _, c := range []struct {
		attempts []Attempt
		want     string
	}{
		{nil, "5"},
		{[]Attempt{{At: at(1)}, {At: at(1)}}, "1 1 5"},
		{[]Attempt{{At: at(9), Queued: true}}, "5 9"},
		{[]Attempt{{At: at(1)}, {At: at(9), Queued: true}, {At: at(12), Queued: true}}, "1 5 9 12"},
	} {
		r := Record{At: at(5), Attempts: c.attempts}
		var got []string
		for _, e := range r.Story() {
			got = append(got, fmt.Sprint(e.At.Unix()))
			if (e.Attempt == nil) != (e.At.Unix() == 5) {
				t.Errorf("%+v", e)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v, want %s", got, c.want)
		}
	}
}

// Became is one word for each way in which a message can stand.
func TestBecame(t *testing.T) {
	for want, r := range map[string]Record{
		"delivered": {Result: Accepted}, "waiting": {Result: Accepted, Waiting: 1}, "dead letter": {Result: Accepted, Waiting: 1, Dead: 1},
		"repeated": {Result: Accepted, Repeats: "m0"}, "deferred": {Result: Deferred}, "refused": {Result: Refused},
		"sign-in failed": {Result: AuthFailed}, "aborted": {Result: Aborted},
	} {
		if got := r.Became(); got != want {
			t.Errorf("%+v became %q, want %q", r, got, want)
		}
	}
}
