package reply_test

import (
	"fmt"
	"testing"

	"postern/gateway/smtp/reply"
)

func TestParseEnhanced(t *testing.T) {
	for _, good := range []string{"2.0.0", "4.4.2", "5.7.30", "5.7.708", "5.999.999"} {
		if e, ok := reply.ParseEnhanced(good); !ok || e.String() != good {
			t.Errorf("%s: %v %t", good, e, ok)
		}
	}
	for _, bad := range []string{"", "5", "5.1", "5.1.1.1", "3.0.0", "6.1.1", "5.1000.1", "5.1.1000", "5.01.1", "5.-1.1", "5.+1.1", "5..1", "5.1.x", "550"} {
		if e, ok := reply.ParseEnhanced(bad); ok {
			t.Errorf("%q is taken for %v", bad, e)
		}
	}
}

// TestStandard: every code has words, and an enhanced code of its own class.
func TestStandard(t *testing.T) {
	for code := 200; code < 600; code++ {
		r := reply.Standard(code)
		if r.Code != code || r.Text() == "" {
			t.Errorf("%d: %+v", code, r)
		}
		if class := code / 100; class != 3 && int(r.Enhanced[0]) != class {
			t.Errorf("%d has %v", code, r.Enhanced)
		}
	}
}

func FuzzParseEnhanced(f *testing.F) {
	for _, s := range []string{"5.7.708", "2.0.0", "5.7.255.1", "5.0001.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if e, ok := reply.ParseEnhanced(s); ok && e.String() != s {
			t.Errorf("%q becomes %v", s, e)
		}
	})
}

func ExampleReply_Or() {
	var none reply.Reply
	fmt.Println(none.Or(reply.Standard(451)).Code)
	fmt.Println(reply.New(550, reply.Enhanced{5, 7, 708}, "Blocked").Or(reply.Standard(451)).Enhanced)
	// Output:
	// 451
	// 5.7.708
}
