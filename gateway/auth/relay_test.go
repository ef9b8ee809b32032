package auth_test

import (
	"net/netip"
	"strings"
	"testing"

	"postern/gateway/auth"
	"postern/gateway/mail"
)

const theRelay = "10.0.0.5"

func behindRelay(t testing.TB, resultsOf string) *auth.Checker {
	return checker(t, world(), auth.Config{Relays: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, ResultsOf: resultsOf})
}

// TestBehindRelay: SPF is checked for whom the relay names, as each MTA writes it,
// and never for what that client says of itself.
func TestBehindRelay(t *testing.T) {
	c := behindRelay(t, "")
	for _, row := range []struct{ received, want string }{
		{"from helo.example (name.example [192.0.2.1]) by mx (Postfix) with ESMTP id 1", "pass"},
		{"from helo.example (unknown [198.51.100.9])\r\n\tby mx (Postfix) with ESMTPS", "fail"},
		{"from [192.0.2.1] (unknown [198.51.100.9]) by mx (Postfix)", "fail"},
		{"from helo.example (name.example [IPv6:2001:db8::1]) by mx", "fail"},
		{"from name.example ([192.0.2.1] helo=helo.example) by mx with esmtps (Exim 4.96)", "pass"},
		{"from name.example ([198.51.100.9] helo=[192.0.2.1]) by mx with esmtp (Exim 4.96)", "fail"},
		{"from [192.0.2.1] (helo=helo.example) by mx with esmtp (Exim 4.96)", "pass"},
		{"from [192.0.2.1] (port=4242 helo=helo.example) by mx with esmtp (Exim 4.96)", "pass"},
		{"from unknown (HELO helo.example) (192.0.2.1) by mx with SMTP", "pass"},
		{"from unknown (HELO [192.0.2.1]) (198.51.100.9) by mx with SMTP", "fail"},
		{"from helo.example (192.0.2.1) by MX01.corp.example (10.0.0.9) with Microsoft SMTP Server id 15.2", "pass"},
		{"from helo.example (name.example. [192.0.2.1]) by mx.google.com with ESMTPS id x", "pass"},
		{"FROM helo.example (name.example [192.0.2.1])\r\n BY mx", "pass"},
		{"from helo.example (EHLO helo.example) ([192.0.2.1]) by mx", "pass"},
		{"from helo.example ([198.51.100.9]) by 192.0.2.1", "fail"},
		{"from inner.example (inner.example [10.0.0.7]) by mx", ""},
		{"from app (app [172.16.3.4]) by mx", ""},
		{"from localhost (localhost [127.0.0.1]) by mx", ""},
		{"from helo.example by mx with ESMTP", ""},
		{"by mx with HTTP", ""},
		{"(qmail 1234 invoked by uid 0)", ""},
	} {
		_, a := check(t, c, envelope(theRelay, "relay.example", "x@relaxed.example"), "Received: "+row.received+"; Mon, 2 Mar 2026 10:00:00 +0000\r\n"+message("a@relaxed.example"))
		if a.SPF.Result != row.want {
			t.Errorf("%s: spf=%s, want %s (%s)", row.received, a.SPF.Result, row.want, a.Reason)
		}
	}
	hops := "Received: from inner (inner [10.0.0.7]) by mx2\r\nReceived: from helo.example (name [192.0.2.1]) by mx1\r\nReceived: from x (x [198.51.100.9]) by y\r\n"
	for _, row := range []struct{ client, data, want string }{
		{theRelay, hops, "pass"},
		{"203.0.113.9", hops, "fail"}, // no relay of ours: its Received lines say nothing
		{"10.9.9.9", hops, ""},
	} {
		if _, a := check(t, c, envelope(row.client, "relay.example", "x@relaxed.example"), row.data+message("a@relaxed.example")); a.SPF.Result != row.want {
			t.Errorf("from %s: spf=%s, want %s", row.client, a.SPF.Result, row.want)
		}
	}
	if _, a := check(t, c, envelope(theRelay, "relay.example", ""), "Received: from relaxed.example (name [192.0.2.1]) by mx\r\n"+message("a@relaxed.example")); a.SPF.Domain != "relaxed.example" || a.SPF.Result != "pass" || !strings.Contains(a.Header, "spf=pass smtp.helo=relaxed.example") {
		t.Errorf("the null sender behind a relay: %+v, %s", a.SPF, a.Header)
	}
	signedIn := envelope(good, "laptop", "x@relaxed.example")
	signedIn.Auth = "ann"
	if got, a := check(t, c, signedIn, message("a@relaxed.example")); got != "spf= dkim= dmarc=(reject)" {
		t.Errorf("signed in: %s (%s)", got, a.Reason)
	}
}

// TestResultsOfRelay: the relay's own verdict is taken from the relay alone, and
// only from above its own Received line; from anywhere else it is a forgery.
func TestResultsOfRelay(t *testing.T) {
	c := behindRelay(t, "mx.relay.example")
	const (
		received = "Received: from helo.example (name [198.51.100.9]) by mx.relay.example\r\n"
		passes   = "Authentication-Results: mx.relay.example;\r\n spf=pass smtp.mailfrom=x@relaxed.example;\r\n dkim=pass header.d=relaxed.example; dmarc=pass header.from=relaxed.example\r\n"
		fails    = "Authentication-Results: mx.relay.example; spf=fail smtp.mailfrom=relaxed.example; dmarc=fail header.from=relaxed.example\r\n"
		verified = "spf=pass dkim=pass+ dmarc=pass verified"
		ownFail  = "spf=fail dkim= dmarc=fail(reject)"
	)
	m := message("a@relaxed.example")
	one := signed(t, m, signing{key: "rsa2048", domain: "relaxed.example", selector: "s"})
	for _, row := range []struct{ name, client, data, want string }{
		{"the relay's", theRelay, passes + received + m, verified},
		{"the relay's, in any case", theRelay, strings.Replace(passes, "mx.relay", "MX.Relay", 1) + received + m, verified},
		{"the relay's, behind another", theRelay, "X-Scanned: yes\r\nAuthentication-Results: mx.other.example; dmarc=fail\r\n" + passes + received + m, verified},
		{"a failure", theRelay, fails + received + m, "spf=fail dkim= dmarc=fail"},
		{"below its Received line", theRelay, received + passes + m, ownFail},
		{"of two that differ, what isn't a pass", theRelay, fails + passes + received + m, "spf=fail dkim=pass+ dmarc=fail"},
		{"the same the other way round", theRelay, passes + fails + received + m, "spf=pass dkim=pass+ dmarc=fail"},
		{"contradicting itself", theRelay, "Authentication-Results: mx.relay.example; dmarc=fail header.from=relaxed.example; dmarc=pass header.from=relaxed.example\r\n" + received + m, "spf= dkim= dmarc=fail"},
		{"a field for each method", theRelay, "Authentication-Results: mx.relay.example; dmarc=pass header.from=relaxed.example\r\nAuthentication-Results: mx.relay.example; dkim=pass header.d=relaxed.example\r\n" +
			"Authentication-Results: mx.relay.example; spf=pass smtp.mailfrom=x@relaxed.example\r\n" + received + m, verified},
		{"without a Received line", theRelay, passes + m, "spf= dkim= dmarc=(reject)"},
		{"from somebody else", other, passes + received + m, ownFail},
		{"of what is signed", theRelay, passes + received + one, verified},
		{"where the header ends elsewhere", theRelay, passes + received + strings.Replace(one, "\r\n\r\n", "\r\n \r\nPay: to IBAN XX now\r\n\r\n", 1), "spf=fail dkim=policy dmarc=fail(reject)"},
		{"with a further Subject", theRelay, passes + received + "Subject: Pay\r\n" + one, "spf=fail dkim=policy dmarc=fail(reject)"},
		{"with a part of the body unsigned", theRelay, passes + received + strings.Replace(one, "v=1;", "v=1; l=1;", 1), "spf=fail dkim=policy dmarc=fail(reject)"},
		{"from our own network, but no relay", "10.9.9.9", passes + received + m, "spf= dkim= dmarc=(reject)"},
		{"of another id", theRelay, strings.Replace(passes, "mx.relay", "mx.evil", 1) + received + m, ownFail},
		{"for another author", theRelay, strings.Replace(passes, "header.from=relaxed", "header.from=else", 1) + received + m, "spf=pass dkim=pass+ dmarc=fail"},
		{"with two authors", theRelay, passes + received + "From: b@else.example\r\n" + m, "spf=pass dkim=pass dmarc=fail"},
		{"that nobody can read", theRelay, "Authentication-Results: mx.relay.example; =;;\r\n" + received + m, ownFail},
	} {
		e := envelope(row.client, "relay.example", "x@relaxed.example")
		got, a := check(t, c, e, row.data)
		if got != row.want {
			t.Errorf("%s: %s (%s), want %s", row.name, got, a.Reason, row.want)
		}
		if kept := len(e.Removed) == 0; kept != (row.client == theRelay && row.name != "below its Received line" && row.name != "without a Received line") {
			t.Errorf("%s: removed %v", row.name, e.Removed)
		}
	}
}

// TestResultsBelow: milters have Postfix write results below its own Received line.
// Where the operator says that the relay does, they count there, and nowhere else:
// not below the mail's own fields, nor below a Received line of somebody else.
func TestResultsBelow(t *testing.T) {
	relays := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	below := checker(t, world(), auth.Config{Relays: relays, ResultsOf: "mx.relay.example", ResultsBelow: true})
	above := behindRelay(t, "mx.relay.example")
	const (
		inner    = "Received: from mx.relay.example (mx [10.0.0.7])\r\n\tby out.relay.example (Postfix)\r\n"
		received = "Received: from helo.example (name [198.51.100.9])\r\n\tby mx.relay.example (Postfix)\r\n"
		foreign  = "Received: from laptop (laptop [192.0.2.77]) by helo.example\r\n"
		passes   = "Authentication-Results: mx.relay.example; spf=pass smtp.mailfrom=x@relaxed.example; dkim=pass header.d=relaxed.example; dmarc=pass header.from=relaxed.example\r\n"
		fails    = "Authentication-Results: mx.relay.example; spf=fail smtp.mailfrom=relaxed.example; dmarc=fail header.from=relaxed.example\r\n"
		filters  = "X-Spam: no\r\nReceived-SPF: pass\r\nDKIM-Filter: OpenDKIM\r\n"
		verified = "spf=pass dkim=pass+ dmarc=pass verified"
		ownFail  = "spf=fail dkim= dmarc=fail(reject)"
	)
	m := message("a@relaxed.example")
	for _, row := range []struct{ name, client, data, below, above string }{
		{"below", theRelay, received + passes + m, verified, ownFail},
		{"above", theRelay, passes + received + m, verified, verified},
		{"among what filters write", theRelay, received + filters + passes + m, verified, ownFail},
		{"of the first of two relays", theRelay, inner + received + passes + foreign + m, verified, ownFail},
		{"of the second of two relays", theRelay, inner + passes + received + foreign + m, verified, ownFail},
		{"a forged one under a failure", theRelay, received + fails + passes + m, "spf=fail dkim=pass+ dmarc=fail", ownFail},
		{"below a foreign Received line", theRelay, received + foreign + passes + m, ownFail, ownFail},
		{"below the mail's own fields", theRelay, received + "Subject: s\r\n" + passes + m, ownFail, ownFail},
		{"without a Received line", theRelay, passes + m, "spf= dkim= dmarc=(reject)", "spf= dkim= dmarc=(reject)"},
		{"from somebody else", other, received + passes + m, ownFail, ownFail},
	} {
		for _, v := range []struct {
			c    *auth.Checker
			want string
		}{{below, row.below}, {above, row.above}} {
			e := envelope(row.client, "relay.example", "x@relaxed.example")
			if got, a := check(t, v.c, e, row.data); got != v.want {
				t.Errorf("%s: %s (%s), want %s", row.name, got, a.Reason, v.want)
			}
			if adopted := v.want != ownFail && row.name != "without a Received line"; (len(e.Removed) == 0) != adopted {
				t.Errorf("%s: removed %v", row.name, e.Removed)
			}
		}
	}
}

// TestResultsBelowEndless: where more filters' fields stand than are read, those
// behind are nobody's.
func TestResultsBelowEndless(t *testing.T) {
	relays := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	c := checker(t, world(), auth.Config{Relays: relays, ResultsOf: "mx.relay.example", ResultsBelow: true})
	head := "Received: from helo.example (name [198.51.100.9])\r\n\tby mx.relay.example (Postfix)\r\n" + strings.Repeat("X-Filter: "+strings.Repeat("x", 1000)+"\r\n", 1100)
	forged := "Authentication-Results: mx.relay.example; dmarc=pass header.from=relaxed.example\r\n"
	r, err := c.Forged(envelope(theRelay, "relay.example", "x@relaxed.example"), mail.Bytes(head+forged+message("a@relaxed.example")))
	if want := int64(len(head)); err != nil || len(r.Spans) != 1 || r.Spans[0].From != want {
		t.Errorf("removed %v, %v, want a field at %d", r.Spans, err, want)
	}
}
