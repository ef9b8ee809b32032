package mail

import "testing"

func TestThreadID(t *testing.T) {
	for in, want := range map[string]string{
		"Message-ID: <a@x.org>\n":                                                          "a@x.org",
		"Message-ID: <b@x.org>\nIn-Reply-To: <a@x.org>\n":                                  "a@x.org",
		"Message-ID: <c@x.org>\nIn-Reply-To: <b@x.org>\nReferences: <a@x.org> <b@x.org>\n": "a@x.org",
		"Message-ID: <c@x.org>\nReferences:\n":                                             "c@x.org",
		"References: junk <a@x.org>\n":                                                     "a@x.org",
		"Message-ID: <noat>\n":                                                             "noat",
		"\n":                                                                               "",
	} {
		if got := parse(t, crlf(in+"\nx")).ThreadID(); got != want {
			t.Errorf("%q is in %q, want %q", in, got, want)
		}
	}
	root := parse(t, "Subject: Order 12\r\n\r\n").ThreadID()
	for _, s := range []string{"Re: Order 12", "RE: re:  order 12", "AW: Order 12", "Fwd: Order 12 (fwd)", "Re[2]: Order 12", "[list] Re: [list] Order 12", "回复：Order 12", "WG: AW: Order 12", "SV: order 12"} {
		if got := parse(t, "Subject: "+s+"\r\n\r\n").ThreadID(); got != root || root == "" {
			t.Errorf("%q is in %q, not %q", s, got, root)
		}
	}
	for _, s := range []string{"Order 13", "Record: Order 12", "Order 12: Re"} {
		if parse(t, "Subject: "+s+"\r\n\r\n").ThreadID() == root {
			t.Errorf("%q is another conversation", s)
		}
	}
}
