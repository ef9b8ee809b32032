package auth_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"postern/gateway/auth"
	"postern/gateway/mail"
)

// BenchmarkAuthenticate is a mail of 27 KB with one RSA signature and warm DNS.
func BenchmarkAuthenticate(b *testing.B) {
	c := checker(b, world(), auth.Config{})
	data := mail.Bytes(signed(b, message("a@relaxed.example")+strings.Repeat("A line of text that somebody wrote, of the usual length.  \r\n", 450), signing{key: "rsa2048", domain: "relaxed.example", selector: "s"}))
	e := envelope(good, "helo.example", "x@relaxed.example")
	b.ReportAllocs()
	for b.Loop() {
		if a := c.Authenticate(b.Context(), e, data); !a.SenderVerified {
			b.Fatal(a.Reason)
		}
	}
}

// BenchmarkManySignatures is a mail of 20 MB with 50 signatures.
func BenchmarkManySignatures(b *testing.B) {
	c := checker(b, world(), auth.Config{})
	m := message("a@relaxed.example") + strings.Repeat("A line of text that somebody wrote, of the usual length.  \r\n", 20<<20/60)
	one := strings.TrimSuffix(signed(b, m, signing{key: "rsa2048", domain: "relaxed.example", selector: "s"}), m)
	two := strings.TrimSuffix(signed(b, m, signing{key: "rsa2048", domain: "relaxed.example", selector: "s", canon: "simple/simple"}), m)
	data := mail.Bytes(strings.Repeat(one+two, 25) + m)
	for b.Loop() {
		if a := c.Authenticate(b.Context(), envelope(good, "helo.example", "x@relaxed.example"), data); !a.SenderVerified {
			b.Fatal(a.Reason)
		}
	}
}

// BenchmarkForged looks for forgeries in a header that has none.
func BenchmarkForged(b *testing.B) {
	data := mail.Bytes(strings.Repeat("Received: from a.example (b.example [192.0.2.1])\r\n\tby c.example with ESMTPS id 1;\r\n\tMon, 2 Mar 2026 10:00:00 +0000\r\n", 8) + message("a@relaxed.example"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := auth.Forged(data, us); err != nil {
			b.Fatal(err)
		}
	}
}

// TestDeadResolver: a resolver that never answers costs the budget at most, and
// says nothing for or against the mail.
func TestDeadResolver(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for time-outs")
	}
	pc, _ := samePort(t)
	defer pc.Close()
	c := auth.New(auth.Config{Domain: us}, auth.Deps{DNS: resolver(t, pc.LocalAddr().String())})
	data := mail.Bytes(signed(t, message("a@relaxed.example"), signing{key: "rsa2048", domain: "relaxed.example", selector: "s"}))
	for i := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		began := time.Now()
		a := c.Authenticate(ctx, envelope(good, "helo.example", "x@relaxed.example"), data)
		took := time.Since(began)
		cancel()
		if a.SPF.Result != "temperror" || a.DKIM[0].Result != "temperror" || a.DMARC.Result != "temperror" || a.SenderVerified {
			t.Errorf("%+v", a)
		}
		if took > auth.Budget+500*time.Millisecond || i > 0 && took > time.Second {
			t.Errorf("mail %d took %v", i, took)
		}
	}
}

// TestFewQuestions: a walk asks eight times at most, and not about strangers.
func TestFewQuestions(t *testing.T) {
	z := parseZone(t, world())
	z.asked = make(chan string, 100)
	c := auth.New(auth.Config{Domain: us}, auth.Deps{DNS: resolver(t, z.serve(t))})
	e := &mail.Envelope{From: "x@else.example"}
	c.Authenticate(t.Context(), e, mail.Bytes(message("a@1.2.3.4.5.6.7.8.9.10.11.12.deep.example")))
	if n := len(z.asked); n != 8 {
		t.Errorf("%d questions, want 8", n)
	}
	for _, want := range []string{"_dmarc.1.2.3.4.5.6.7.8.9.10.11.12.deep.example.", "_dmarc.8.9.10.11.12.deep.example."} {
		if got := <-z.asked; got != want && !strings.HasSuffix(got, "10.11.12.deep.example.") {
			t.Errorf("asked for %s, want %s", got, want)
		}
	}
}
