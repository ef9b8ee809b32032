package main

import (
	"crypto/rand"
	_ "embed"
	"fmt"
	"time"
)

// sampleEML is a mail as people send them: text and html, a Russian subject, a
// file with a Russian name.
//
//go:embed sample.eml
var sampleEML []byte

// sampleMail is that mail with a date and a Message-ID of its own.
func sampleMail(at time.Time) []byte {
	return fmt.Appendf(nil, "Date: %s\nMessage-ID: <%s@example.com>\n%s", at.Format(time.RFC1123Z), rand.Text(), sampleEML)
}
