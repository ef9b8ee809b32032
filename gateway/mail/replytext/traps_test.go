package replytext

import (
	"strings"
	"testing"
)

// traps are the author's own words that look like a quote or a signature.
var traps = []string{
	"Here are the flights:\n\nFrom: London\nTo: Paris\nDate: 2 March\n\nPlease book them.",
	"From: London\nTo: Paris\n\nPlease book it.",
	"Please fill in:\n\nName: ______________\nDate: ______________\n______________\nSign above.",
	"My data:\n\nName: Ann Smith\nEmail: ann@client.example\nDate: 2 March 2026 10:00\n\nPlease update them.",
	"Meeting on 2 March 2026 at 10:00:\n\n- budget\n- hiring",
	"Contact bob@in.example on 2 March 2026 at 10:00:\n\nhe knows the details.",
	"Here is what he wrote:\n\nAll is fine, don't worry.",
	"As Bob wrote on Monday:\n\nwe should wait.",
	"Run this:\n\nSELECT 1;\n--\nSELECT 2;\n\nand tell me.",
	"Run this:\n\n-- drop it\nDROP TABLE x;\n-- done\n\nand tell me.",
	"Run tool --verbose --out=x\nand tell me.",
	"First part.\n\n---\n\nSecond part.\n\n---\n\nThird part.",
	"First part.\n--\nSecond part.\n--\nThird part.",
	"Sent from my office you can see the sea, by the way.",
	"Sent from my point of view this is wrong, and I can tell you why.",
	"I sent from my iPhone a photo yesterday.\n\nDid you get it?",
	"Three things:\n\n1. From: is empty\n2. To: is wrong\n3. Subject: is missing",
	"The log says:\n\nTime: 10:00\nLevel: error\nText: disk full",
	"Time: 2 March 2026 10:00\nWhere: Room 4\nWho: all of us",
	"Order: 1234\nDate: 2 March 2026 10:00\nEmail: ann@client.example\n\nWhere is it?",
	"On Monday we start at 10:00.\nOn Tuesday we rest.",
	"On 12 May 2026 we need 3 of them:\n\nred, green and blue.",
	"Am 12.05.2026 um 10:00 brauchen wir:\n\nrot, grün und blau.",
	"Le 12 mai 2026 à 10:00 :\n\nréunion.",
	"http://a.example/2026/03/02/10:00:\n\nlook at it.",
	"The original message was lost.\n\nCan you send it again?",
	"-- this is how I start my lines\n-- and go on\n\nFine?",
	"Please reply above this line of trees if you know which one I mean, and below it if you don't.",
	"====================\nA heading\n====================\n\nand words.",
	"| a | b |\n|---|---|\n| 1 | 2 |\n\nThat is the table.",
	"Subject: to change\nTo: be decided\n\nthat is all.",
	"Price: 10\nWeight: 20\nHeight: 30\n\nenough?",
	"Here is the diff:\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n\nFine?",
	"Von: Berlin\nNach: Hamburg\nAm: 2. März 2026 10:00\n\nBitte buchen.",
}

// TestTraps: nothing of the author's own words is lost, with and without a quote
// below them.
func TestTraps(t *testing.T) {
	for _, s := range traps {
		if r := Split(s, Options{}); r != (Reply{Text: s}) {
			t.Errorf("%q:\n%+v", s, r)
		}
		quoted := "On Mon, Mar 2, 2026 at 10:00 AM Bob Stone <bob@in.example> wrote:\n\n> Is it fine?"
		if r := Split(s+"\n\n"+quoted, Options{}); r.Text != s || r.Quoted != quoted {
			t.Errorf("%q above a quote:\n%+v", s, r)
		}
		outlook := "From: Bob Stone <bob@in.example>\nSent: Monday, March 2, 2026 10:00 AM\nTo: Ann\nSubject: Order\n\nIs it fine?"
		if r := Split(s+"\n\n"+outlook, Options{}); r.Text != s || r.Quoted != outlook {
			t.Errorf("%q above a header block:\n%+v", s, r)
		}
	}
	own := "Hi! I end with a quote:\n\n> this is my own quote!"
	if r := Split(own+"\n\nOn Oct 9, 2026, at 3:47 PM, Bob <bob@in.example> wrote:\n\n> The original", Options{}); r.Text != own {
		t.Errorf("an own quote: %+v", r)
	}
	t.Logf("%d traps", len(traps)+1)
}

// TestSignaturesAboveAQuote: they end the author's words wherever these end.
func TestSignaturesAboveAQuote(t *testing.T) {
	signatures := []string{
		"Sent from my iPhone", "Sent from my Galaxy", "Sent from Outlook for Android", "Get Outlook for iOS<https://aka.ms/o0ukef>", "Sent from Mail for Windows", "Sent from Yahoo Mail on Android",
		"Von meinem iPhone gesendet", "Gesendet mit der GMX Mail App", "Envoyé de mon iPhone", "Enviado desde mi iPhone", "Enviado do meu iPhone", "Inviato da iPhone", "Verstuurd vanaf mijn iPhone",
		"Skickat från min iPhone", "Sendt fra min iPhone", "Lähetetty iPhonesta", "Wysłane z iPhone'a", "Отправлено с iPhone", "Надіслано з iPhone", "Odesláno z iPhonu", "iPhone'umdan gönderildi", "iPhone’umdan gönderildi", "从我的iPhone发送", "iPhoneから送信", "나의 iPhone에서 보냄",
		"Sent with Proton Mail secure email.", "Sent with [Proton Mail](https://proton.me/) secure email.", "-- \nAnn Smith\nClient Inc.", "--\nAnn Smith\nClient Inc.", "-- \nAnn Smith\n\nClient Inc.\n+49 30 123456", "_______________________________________________\nusers mailing list\nusers@lists.client.example",
		"Enviat des de l'iPhone", "Στάλθηκε από το iPhone μου", "Trimis de pe iPhone-ul meu", "نُشر من iPhone",
	}
	held := 0
	for _, s := range signatures {
		ok := true
		for _, q := range []string{"\n\nOn Mar 2, 2026, at 10:00 AM, Bob <bob@in.example> wrote:\n\n> Old", "\n\n________________________________\nFrom: Bob <bob@in.example>\nSent: Monday, March 2, 2026 10:00 AM\nTo: Ann\nSubject: x\n\nOld", ""} {
			r := Split("Thanks.\n\n"+s+q, Options{})
			ok = ok && r.Text == "Thanks." && strings.Contains(r.Signature, strings.TrimSpace(s))
		}
		if ok {
			held++
		} else {
			t.Errorf("%q: %+v", s, Split("Thanks.\n\n"+s+"\n\nOn Mar 2, 2026, at 10:00 AM, Bob <bob@in.example> wrote:\n\n> Old", Options{}))
		}
	}
	t.Logf("%d of %d hold", held, len(signatures))
}

// TestMarker: an application's own line.
func TestMarker(t *testing.T) {
	const marker = "~~ answer over this ~~"
	for _, in := range []string{
		"My answer.\n\n" + marker + "\n\nThe ticket's text.",
		"My answer.\n\n> " + marker + "\n> The ticket's text.",
		"My answer.\n\nOn Mar 2, 2026, at 10:00 AM, Support <x@in.example> wrote:\n\n> " + marker + "\n> Old",
	} {
		if r := Split(in, Options{Marker: marker}); r.Text != "My answer." || !strings.Contains(r.Quoted, marker) {
			t.Errorf("%q: %+v", in, r)
		}
	}
	if r := Split("My answer.\n\n"+marker+"\n\nwords", Options{}); r.Quoted != "" {
		t.Errorf("without the setting: %+v", r)
	}
}
