package auth_test

import (
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"

	"postern/gateway/auth"
	"postern/gateway/mail"
)

// odds are the zones of the special cases.
func odds() string {
	s := func(name, text string) string { return txt(name+"._domainkey.relaxed.example", text) }
	return s("weak", smallKey()) + s("old", keyRecord("rsa1024", "")) + s("revoked", "v=DKIM1; p=") + s("nokey", "v=DKIM1; n=nothing") + s("junk", "v=DKIM1; p=!!!") +
		s("tls", keyRecord("rsa2048", "s=tlsrpt; ")) + s("mail", keyRecord("rsa2048", "s=email:tlsrpt; ")) + s("star", keyRecord("rsa2048", "s=*; ")) +
		s("sha1", keyRecord("rsa2048", "h=sha1; ")) + s("sha256", keyRecord("rsa2048", "h=sha1:sha256; ")) + s("testing", keyRecord("rsa2048", "t=y; ")) +
		s("strict", keyRecord("rsa2048", "t=s; ")) + s("both", keyRecord("rsa2048", "t=y:s; ")) + s("v2", strings.Replace(keyRecord("rsa2048", ""), "DKIM1", "DKIM2", 1)) +
		s("nov", strings.TrimPrefix(keyRecord("rsa2048", ""), "v=DKIM1; ")) + s("vlast", strings.TrimPrefix(keyRecord("rsa2048", ""), "v=DKIM1; ")+"; v=DKIM1") +
		s("twice", keyRecord("rsa2048", "")) + s("twice", keyRecord("ed", "")) + s("kind", keyRecord("ed", "")) + s("unknown", keyRecord("rsa2048", "k=dsa; ")) +
		s("dup", keyRecord("rsa2048", "")+"; p=x") + s("bare", base64.StdEncoding.EncodeToString([]byte("x"))) + s("long", keyRecord("rsa2048", "n="+strings.Repeat("x", 3000)+"; ")) +
		"fails._domainkey.relaxed.example. FAIL\nalias._domainkey.relaxed.example. 60 IN CNAME s._domainkey.else.example.\n" +
		"loop._domainkey.relaxed.example. 60 IN CNAME loop2._domainkey.relaxed.example.\nloop2._domainkey.relaxed.example. 60 IN CNAME loop._domainkey.relaxed.example.\n" +
		txt("com", "v=spf1 +all") + txt("s._domainkey.com", keyRecord("rsa2048", "")) + txt("s._domainkey.example", keyRecord("rsa2048", "")) +
		plainZone("x.com") + txt("_dmarc.x.com", "v=DMARC1; p=reject") +
		"_dmarc.failing.example. FAIL\n" + plainZone("failing.example") +
		txt("_dmarc.spffails.example", "v=DMARC1; p=reject") + "spffails.example. FAIL\n" + txt("s._domainkey.spffails.example", keyRecord("rsa2048", "")) +
		txt("_dmarc.manylookups.example", "v=DMARC1; p=reject") + txt("manylookups.example", "v=spf1 "+strings.Repeat("include:else.example ", 11)+"-all") +
		txt("_dmarc.twospf.example", "v=DMARC1; p=reject") + txt("twospf.example", "v=spf1 +all") + txt("twospf.example", "v=spf1 -all") +
		txt("_dmarc.voids.example", "v=DMARC1; p=reject") + txt("voids.example", "v=spf1 a:v1.gone.example a:v2.gone.example a:v3.gone.example +all") +
		txt("_dmarc.soft.example", "v=DMARC1; p=quarantine") + txt("soft.example", "v=spf1 ~all") + txt("neutral.example", "v=spf1 ?all") +
		txt("_dmarc.includes.example", "v=DMARC1; p=reject") + txt("includes.example", "v=spf1 include:else.example -all") +
		txt("loopspf.example", "v=spf1 include:loopspf.example -all") + txt("_dmarc.loopspf.example", "v=DMARC1; p=reject") +
		txt("_dmarc.xn--bcher-kva.example", "v=DMARC1; p=reject") + plainZone("xn--bcher-kva.example") + txt("helo.relaxed.example", "v=spf1 ip4:192.0.2.1 -all")
}

// row is one mail and the verdict that a mail engineer would give.
type row struct {
	name                string
	client, hello, from string // good, helo.example, x@relaxed.example where empty
	data                string
	want                string
}

// rows are mails whose authors' domain is relaxed.example, where nothing else is said.
func rows(t testing.TB) []row {
	m := message("A <a@relaxed.example>")
	by := func(selector string) string {
		return signed(t, m, signing{key: "rsa2048", domain: "relaxed.example", selector: selector})
	}
	one := by("s")
	edit := func(s, old, new string) string {
		if !strings.Contains(s, old) {
			t.Fatalf("%q is not in %q", old, s)
		}
		return strings.Replace(s, old, new, 1)
	}
	list := "forwarded: spf=fail dkim=pass+ dmarc=pass(reject) by=dkim verified"
	_, _ = list, one
	const rejected = "dmarc=fail(reject)"
	keyFault := func(selector, result string) row {
		return row{name: "key " + selector, client: other, data: by(selector), want: "spf=fail dkim=" + result + " " + rejected}
	}
	keyGood := func(selector string) row {
		return row{name: "key " + selector, client: other, data: by(selector), want: "spf=fail dkim=pass+ dmarc=pass(reject) by=dkim verified"}
	}
	from := func(name, value, want string) row { // signed by relaxed.example, sent from there
		return row{name: "From " + name, data: signed(t, message(value), signing{key: "rsa2048", domain: "relaxed.example", selector: "s"}), want: want}
	}
	const both = "spf=pass dkim=pass+ dmarc=pass(reject) by=spf,dkim verified"
	sig := func(s signing) string {
		if s.domain == "" {
			s.domain = "relaxed.example"
		}
		if s.selector == "" {
			s.selector = "s"
		}
		if s.key == "" {
			s.key = "rsa2048"
		}
		return signed(t, m, s)
	}
	dkimOnly := func(name, data, want string) row {
		return row{name: name, client: other, data: data, want: "spf=fail dkim=" + want}
	}
	const passes = "pass+ dmarc=pass(reject) by=dkim verified"
	nine := make([]signing, 9)
	for i := range nine {
		nine[i] = signing{key: "ed", domain: "else.example", selector: "e"}
	}
	return []row{
		{name: "all is well", data: one, want: both},
		{name: "spf alone", data: m, want: "spf=pass dkim= dmarc=pass(reject) by=spf verified"},
		{name: "nothing", client: other, data: m, want: "spf=fail dkim= " + rejected},
		{name: "forwarded", client: other, from: "x@relaxed.example", data: one, want: "spf=fail dkim=pass+ dmarc=pass(reject) by=dkim verified"},
		{name: "forwarded with SRS", from: "srs0=x=y=relaxed.example=x@else.example", data: one, want: "spf=pass dkim=pass+ dmarc=pass(reject) by=dkim verified"},
		{name: "mailing list that edits", from: "list@else.example", data: edit(edit(one, "Hello\r\nDate", "[list] Hello\r\nDate"), "Bye", "Bye\r\n-- \r\nlist"), want: "spf=pass dkim=fail " + rejected},
		{name: "mailing list that signs too", from: "list@else.example", data: signed(t, edit(one, "Bye", "Bye\r\nfooter"), signing{key: "ed", domain: "else.example", selector: "e"}), want: "spf=pass dkim=pass,fail " + rejected},
		{name: "list that takes the From over", from: "list@else.example", data: message("A via list <list@else.example>"), want: "spf=pass dkim= dmarc=none by=spf verified"},

		dkimOnly("simple/simple", sig(signing{canon: "simple/simple"}), passes),
		dkimOnly("simple/relaxed", sig(signing{canon: "simple/relaxed"}), passes),
		dkimOnly("relaxed/simple", sig(signing{canon: "relaxed/simple"}), passes),
		dkimOnly("ed25519", sig(signing{key: "ed", selector: "e"}), passes),
		dkimOnly("rsa 1024", sig(signing{key: "rsa1024", selector: "old"}), passes),
		dkimOnly("oversigned", sig(signing{headers: []string{"From", "From", "To", "Subject", "Subject", "Date"}}), passes),
		dkimOnly("signed fields that aren't there", sig(signing{headers: []string{"From", "Cc", "Reply-To"}}), passes),
		dkimOnly("only From signed", sig(signing{headers: []string{"From"}}), passes),
		dkimOnly("i= in a subdomain", sig(signing{identity: "x@deep.relaxed.example"}), passes),
		dkimOnly("i= elsewhere", edit(sig(signing{identity: "x@deep.relaxed.example"}), "x@deep.relaxed.example", "x@deep.relaxedxexample"), "permerror "+rejected),
		dkimOnly("expired", sig(signing{expires: time.Now().Add(-time.Hour)}), "permerror "+rejected),
		dkimOnly("not expired", sig(signing{expires: time.Now().Add(time.Hour)}), passes),
		dkimOnly("body length", edit(one, "DKIM-Signature: ", "DKIM-Signature: l=5; "), "policy "+rejected),
		dkimOnly("body length 0", edit(one, "DKIM-Signature: ", "DKIM-Signature: l=0; "), "policy "+rejected),
		dkimOnly("rsa-sha1", edit(one, "rsa-sha256", "rsa-sha1"), "permerror "+rejected),
		dkimOnly("an unknown algorithm", edit(one, "rsa-sha256", "rsa-md5"), "permerror "+rejected),
		dkimOnly("an unknown version", edit(one, "v=1", "v=2"), "permerror "+rejected),
		dkimOnly("no bh", edit(one, "bh=", "bx="), "permerror "+rejected),
		dkimOnly("a tag twice", edit(one, "v=1", "v=1; v=1"), "permerror "+rejected),
		dkimOnly("From not signed", edit(one, "From:To:", "Frxm:To:"), "permerror "+rejected),
		dkimOnly("an unknown canonicalization", edit(one, "c=relaxed/relaxed", "c=relaxed/nofws"), "permerror "+rejected),
		dkimOnly("a key elsewhere than in DNS", edit(one, "DKIM-Signature: ", "DKIM-Signature: q=http; "), "permerror "+rejected),
		dkimOnly("a body that was changed", edit(one, "Bye", "Buy"), "fail "+rejected),
		dkimOnly("a subject that was changed", edit(one, "Subject: Hello", "Subject: Hallo"), "fail "+rejected),
		dkimOnly("blanks that were changed", edit(edit(one, "Hello  there ", "Hello there"), "Subject: Hello", "SUBJECT:  Hello "), passes),
		dkimOnly("line ends added", one+"\r\n\r\n", passes),
		dkimOnly("a signature of somebody else's text", edit(one, "b=", "b=AAAA"), "fail "+rejected),
		dkimOnly("blank before a colon", edit(one, "Subject: Hello", "Subject : Hello"), passes),
		dkimOnly("two signatures, one broken", signed(t, edit(one, "Bye", "Bye!"), signing{key: "ed", domain: "relaxed.example", selector: "e"}), "pass+,fail dmarc=pass(reject) by=dkim verified"),
		dkimOnly("nine strangers before the own one", signed(t, one, nine...), strings.Repeat("pass,", 7)+passes),
		dkimOnly("a stranger's signature", sig(signing{domain: "else.example"}), "pass "+rejected),
		dkimOnly("of a top-level domain", sig(signing{domain: "example"}), "pass "+rejected),
		dkimOnly("no such selector", sig(signing{selector: "gone"}), "permerror "+rejected),
		dkimOnly("a key of another", sig(signing{key: "rsa1024"}), "fail "+rejected),
		dkimOnly("a garbled field", "DKIM-Signature: garbled\r\n"+m, "permerror "+rejected),
		dkimOnly("an empty field", "DKIM-Signature:\r\n"+m, "permerror "+rejected),
		keyFault("weak", "permerror"), keyFault("revoked", "permerror"), keyFault("nokey", "permerror"), keyFault("junk", "permerror"), keyFault("tls", "permerror"),
		keyFault("sha1", "permerror"), keyFault("testing", "neutral"), keyFault("both", "neutral"), keyFault("v2", "permerror"), keyFault("vlast", "permerror"),
		keyFault("twice", "permerror"), keyFault("kind", "permerror"), keyFault("unknown", "permerror"), keyFault("dup", "permerror"), keyFault("bare", "permerror"),
		keyGood("mail"), keyGood("star"), keyGood("sha256"), keyGood("strict"), keyGood("nov"), keyGood("long"), keyGood("alias"),
		dkimOnly("key strict, i= in a subdomain", sig(signing{selector: "strict", identity: "x@a.relaxed.example"}), "permerror "+rejected),
		dkimOnly("key testing, body changed", edit(by("testing"), "Bye", "Buy"), "neutral "+rejected),
		dkimOnly("key that can't be asked", by("fails"), "temperror dmarc=temperror(reject)"),
		dkimOnly("key behind a loop of aliases", by("loop"), "temperror dmarc=temperror(reject)"),
		{name: "key that can't be asked, spf well", data: by("fails"), want: "spf=pass dkim=temperror dmarc=pass(reject) by=spf verified"},
		dkimOnly("a stranger's key that can't be asked", edit(by("fails"), "d=relaxed.example", "d=loop.else.example"), "permerror "+rejected),

		from("with a comment", "a@relaxed.example (b@else.example)", both),
		from("with a comment within", "a(x)@relaxed.example", both),
		from("with another address as its name", `"ceo@else.example" <a@relaxed.example>`, both),
		from("with an encoded name", "=?utf-8?q?ceo=40else=2Eexample?= <a@relaxed.example>", both),
		from("folded", "A\r\n <a@relaxed.example>", both),
		from("in upper case", "A <A@RELAXED.EXAMPLE>", both),
		from("without brackets", "a@relaxed.example", both),
		from("group of one", "Team: a@relaxed.example;", both),
		from("group of two", "Team: a@relaxed.example, b@relaxed.example;", "spf=pass dkim=pass+ "+rejected),
		from("group of none", "Undisclosed:;", "spf=pass dkim=pass dmarc=permerror"),
		from("with two addresses", "a@relaxed.example, b@else.example", "spf=pass dkim=pass+ "+rejected),
		from("with two addresses, the other way round", "b@else.example, a@relaxed.example", "spf=pass dkim=pass "+rejected),
		from("without an address", "Somebody", "spf=pass dkim=pass dmarc=permerror"),
		from("without a domain", "root", "spf=pass dkim=pass dmarc=permerror"),
		from("of somebody else", "a@strict.example", "spf=pass dkim=pass "+rejected),
		from("of a lookalike", "a@relaxed.example.else.example", "spf=pass dkim=pass dmarc=none"),
		from("of a lookalike in front", "a@notrelaxed.example", "spf=pass dkim=pass dmarc=none"),
		{name: "second From above", data: "From: b@else.example\r\n" + one, want: "spf=pass dkim=pass " + rejected},
		{name: "second From below", data: edit(one, "\r\n\r\n", "\r\nFrom: b@else.example\r\n\r\n"), want: "spf=pass dkim=fail " + rejected},
		{name: "second From in disguise", data: "FROM : b@else.example\r\n" + one, want: "spf=pass dkim=pass " + rejected},
		{name: "second From behind what is no field", data: "From: b@relaxed.example\r\nno field at all\r\nnor this\r\nor this\r\n" + one, want: "spf=pass dkim=pass+ " + rejected},
		{name: "no From", data: "To: x@in.example\r\n\r\nx\r\n", want: "spf=pass dkim= dmarc=permerror"},
		{name: "Sender instead", data: "Sender: a@relaxed.example\r\n" + message("a@strict.example"), want: "spf=pass dkim= " + rejected},
		{name: "no header", data: "\r\nhello\r\n", want: "spf=pass dkim= dmarc=permerror"},
		{name: "nothing at all", data: "", want: "spf=pass dkim= dmarc=permerror"},
		{name: "IDN From", client: other, data: signed(t, message("a@bücher.example"), signing{key: "rsa2048", domain: "xn--bcher-kva.example", selector: "s"}), want: "spf=fail dkim=pass+ dmarc=pass(reject) by=dkim verified"},
		{name: "IDN reverse-path", from: "ö@bücher.example", data: message("a@xn--bcher-kva.example"), want: "spf=pass dkim= dmarc=pass(reject) by=spf verified"},

		{name: "null sender, HELO", hello: "relaxed.example", from: "-", data: m, want: "spf=pass dkim= dmarc=pass(reject) by=spf verified"},
		{name: "null sender, HELO's subdomain", hello: "helo.relaxed.example", from: "-", data: m, want: "spf=pass dkim= dmarc=pass(reject) by=spf verified"},
		{name: "null sender, HELO of another", hello: "else.example", from: "-", data: m, want: "spf=pass dkim= " + rejected},
		{name: "null sender, HELO that is no domain", hello: "[192.0.2.1]", from: "-", data: m, want: "spf=none dkim= " + rejected},
		{name: "null sender, HELO of one word", hello: "localhost", from: "-", data: m, want: "spf=none dkim= " + rejected},
		{name: "HELO passes, MAIL FROM is another's", hello: "relaxed.example", from: "x@else.example", data: m, want: "spf=pass dkim= " + rejected},
		{name: "HELO passes, MAIL FROM fails", hello: "else.example", client: good, from: "x@soft.example", data: m, want: "spf=softfail dkim= " + rejected},
		{name: "quoted local part", from: `"a@else.example"@relaxed.example`, data: m, want: "spf=pass dkim= dmarc=pass(reject) by=spf verified"},
		{name: "no SPF record", from: "x@gone.example", data: m, want: "spf=none dkim= " + rejected},
		{name: "SPF neutral", from: "x@neutral.example", data: message("a@neutral.example"), want: "spf=neutral dkim= dmarc=none"},
		{name: "SPF softfail", from: "x@soft.example", data: message("a@soft.example"), want: "spf=softfail dkim= dmarc=fail(quarantine)"},
		{name: "SPF include", from: "x@includes.example", data: message("a@includes.example"), want: "spf=pass dkim= dmarc=pass(reject) by=spf verified"},
		{name: "SPF with two records", from: "x@twospf.example", data: message("a@twospf.example"), want: "spf=permerror dkim= " + rejected},
		{name: "SPF with too many look-ups", from: "x@manylookups.example", data: message("a@manylookups.example"), client: other, want: "spf=permerror dkim= " + rejected},
		{name: "SPF with too many void look-ups", from: "x@voids.example", data: message("a@voids.example"), want: "spf=permerror dkim= " + rejected},
		{name: "SPF that includes itself", from: "x@loopspf.example", data: message("a@loopspf.example"), want: "spf=permerror dkim= " + rejected},
		{name: "SPF of a top-level domain", from: "x@com", data: message("a@x.com"), want: "spf=none dkim= " + rejected},
		{name: "SPF can't be asked", from: "x@spffails.example", data: message("a@spffails.example"), want: "spf=temperror dkim= dmarc=temperror(reject)"},
		{name: "SPF can't be asked, dkim well", from: "x@spffails.example", data: signed(t, message("a@spffails.example"), signing{key: "rsa2048", domain: "spffails.example", selector: "s"}), want: "spf=temperror dkim=pass+ dmarc=pass(reject) by=dkim verified"},
		{name: "SPF of a stranger can't be asked", from: "x@spffails.example", data: m, want: "spf=temperror dkim= " + rejected},
		{name: "the policy can't be asked", from: "x@failing.example", data: signed(t, message("a@failing.example"), signing{key: "rsa2048", domain: "failing.example", selector: "s"}), want: "spf=pass dkim=pass+ dmarc=temperror"},
		{name: "d= of a top-level domain", from: "x@else.example", data: signed(t, message("a@x.com"), signing{key: "rsa2048", domain: "com", selector: "s"}), want: "spf=pass dkim=pass " + rejected},

		{name: "from our own network", client: "10.1.2.3", data: m, want: "spf= dkim= dmarc=(reject)"},
		{name: "from our own network, signed", client: "10.1.2.3", data: one, want: "spf= dkim=pass+ dmarc=pass(reject) by=dkim verified"},
		{name: "from a cluster", client: "100.64.3.3", data: m, want: "spf= dkim= dmarc=(reject)"},
		{name: "from ourselves", client: "127.0.0.1", data: m, want: "spf= dkim= dmarc=(reject)"},
		{name: "from ourselves, IPv6", client: "::1", data: m, want: "spf= dkim= dmarc=(reject)"},
		{name: "from a unique local address", client: "fd00::5", data: m, want: "spf= dkim= dmarc=(reject)"},
		{name: "mapped IPv4", client: "::ffff:192.0.2.1", data: m, want: "spf=pass dkim= dmarc=pass(reject) by=spf verified"},
		{name: "IPv6", client: "2001:db8::1", data: m, want: "spf=fail dkim= " + rejected},
		{name: "two Froms from our own network", client: "10.1.2.3", data: "From: b@else.example\r\n" + m, want: "spf= dkim= " + rejected},
	}
}

// TestReadersSeeWhatIsSigned: mails whose signature holds, but whose header or fields readers take
// otherwise: what a stranger put there isn't signed.
func TestReadersSeeWhatIsSigned(t *testing.T) {
	m := message("A <a@relaxed.example>")
	sign := func(m string, headers ...string) string {
		return signed(t, m, signing{key: "rsa2048", domain: "relaxed.example", selector: "s", headers: headers})
	}
	one := sign(m)
	typed := strings.Replace(m, "Subject: ", "Content-Type: text/plain\r\nSubject: ", 1)
	all := sign(typed, "From", "Subject", "Content-Type")
	last := func(lines string) string { return strings.Replace(one, "\r\n\r\n", "\r\n"+lines+"\r\n", 1) }
	first := func(lines, to string) string { return lines + to }
	const pay = "Pay to IBAN XX now"
	c := checker(t, world(), auth.Config{})
	for name, row := range map[string]struct{ data, want string }{
		"a line of white space":                    {last("X-A: b\r\n \r\nPay: to IBAN XX now\r\n"), "policy"},
		"a line of white space and no field":       {last(" \r\n" + pay + "\r\n"), "policy"},
		"a line of white space on top":             {first("X-A: b\r\n\t\r\n"+pay+"\r\nor else\r\nor this\r\n", one), "policy no From"},
		"no field":                                 {last(pay + "\r\n"), "policy"},
		"no field on top, four lines":              {first(pay+"\r\nnow\r\nor else\r\nor this\r\n", one), "policy no From"},
		"no field before a field of nobody's":      {last(pay + "\r\nHello: x\r\n"), "policy"},
		"two CRs":                                  {last("X-A: b\r\n\r\r\n" + pay + "\r\n"), "policy"},
		"three CRs on top":                         {first("\r\r\r\n"+pay+"\r\n", one), "policy no From"},
		"two CRs behind line feeds":                {last("X-A: b\n\r\r\n" + pay + "\n"), "policy"},
		"more fields than are read":                {first(strings.Repeat("X-A: "+pay+"\r\n", 2000), one), "policy"},
		"almost as many":                           {first(strings.Repeat("X-A: b\r\n", 1990), one), "policy"},
		"a header of more than is read":            {last("X-A: " + strings.Repeat("x", 1<<20) + "\r\n"), "policy"},
		"a second Subject":                         {first("Subject: "+pay+"\r\n", one), "policy"},
		"a second Subject below":                   {last("Subject: " + pay + "\r\n"), "policy"},
		"a second Subject behind what is no field": {first("X-A: b\r\nno field\r\n Subject: "+pay+"\r\n", one), "policy"},
		"another Subject, the signed one hidden":   {first("X-A: b\r\nno field\r\n Subject: "+pay+"\r\n", strings.Replace(one, "Subject: Hello", "Subject\r\n : Hello", 1)), "policy"},
		"a second Date":                            {first("Date: Tue, 3 Mar 2026 10:00:00 +0000\r\n", one), "policy"},
		"a second To":                              {first("To: them@in.example\r\n", one), "policy"},
		"a second Content-Type":                    {first("Content-Type: multipart/mixed; boundary=x\r\n", all), "policy"},
		"a second Content-Type with blanks":        {first("Content - Type: multipart/mixed; boundary=x\r\n", all), "policy"},
		"a Subject with a CR":                      {first("X-A: b\rSubject: "+pay+"\r\n", one), "pass+"},
		"a blank line on top":                      {first("\r\n", one), ""},

		"nothing":                             {one, "pass+"},
		"more fields":                         {first("Received: from a.example\r\n\tby b.example\r\nX-Spam-Score: 1\r\n", one), "pass+"},
		"a line of white space inside a fold": {first("X-A: b\r\n \r\n c\r\n", one), "pass+"},
		"a line of mbox on top":               {first("From a@relaxed.example Mon Mar  2 10:00:00 2026\r\n", one), "pass+"},
		"no field before a known one":         {first("X-A: b\r\nno field\r\n", one), "pass+"},
		"line feeds":                          {strings.ReplaceAll(one, "\r\n", "\n"), "pass+"},
		"two To, both signed":                 {sign("To: them@in.example\r\n"+m, "From", "To", "To", "Subject"), "pass+"},
		"a Reply-To that nobody signed":       {first("Reply-To: list@else.example\r\n", one), "pass+"},
		"no body":                             {sign("From: a@relaxed.example\r\nSubject: x\r\n\r\n", "From"), "pass+"},
	} {
		want := "spf=fail dkim=" + row.want + " dmarc=fail(reject)"
		switch row.want {
		case "pass+":
			want = "spf=fail dkim=pass+ dmarc=pass(reject) by=dkim verified"
		case "policy no From":
			want = "spf=fail dkim=policy dmarc=permerror"
		case "":
			want = "spf=fail dkim= dmarc=permerror"
		}
		for from, src := range map[string]mail.Source{"memory": mail.Bytes(row.data), "a file": stored(row.data)} {
			got, a := checkSource(t, c, envelope(other, "helo.example", "x@relaxed.example"), src)
			if got != want {
				t.Errorf("%s, from %s:\n got %s\nwant %s\n(%s)", name, from, got, want, a.Reason)
			}
		}
	}
}

// stored is a message that isn't in memory.
type stored string

func (s stored) Open() (io.ReadSeekCloser, error) { return mail.Bytes(s).Open() }
func (s stored) Size() int64                      { return int64(len(s)) }

// TestCases gives each mail of the table to the checker.
func TestCases(t *testing.T) {
	c := checker(t, world(), auth.Config{})
	list := rows(t)
	for _, r := range list {
		got, a := check(t, c, r.envelope(), r.data)
		if got != r.want {
			t.Errorf("%s:\n got %s\nwant %s\n(%s)", r.name, got, r.want, a.Reason)
		}
		if a.Reason == "" || !strings.HasPrefix(a.Header, us+"; ") {
			t.Errorf("%s: reason %q, header %q", r.name, a.Reason, a.Header)
		}
	}
	for name, d := range disguises { // whatever a mail says of itself
		got, _ := check(t, c, envelope(other, "helo.example", "x@relaxed.example"), d+"\r\n"+message("A <a@relaxed.example>"))
		if got != "spf=fail dkim= dmarc=fail(reject)" {
			t.Errorf("%s: %s", name, got)
		}
	}
	t.Logf("%d cases", len(list)+len(disguises))
}

func (r row) envelope() *mail.Envelope {
	if r.client == "" {
		r.client = good
	}
	if r.hello == "" {
		r.hello = "helo.example"
	}
	switch r.from {
	case "":
		r.from = "x@relaxed.example"
	case "-":
		r.from = ""
	}
	return envelope(r.client, r.hello, r.from)
}
