package replytext

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAttributions: what mailers write above a quote, in many languages and
// wrappings, and texts that only look like it.
func TestAttributions(t *testing.T) {
	quotes := []string{
		"On Mon, Apr 2, 2012 at 6:26 PM, Ann One <a@x.org> wrote:\n> hi",
		"On Apr 3, 2012, at 4:19 PM, bob wrote:\n\n> hi",
		"On Tue, 3 Apr 2012,\nAnn One <a@x.org>\nwrote:\n\n> hi",
		"On 04/02/2012 06:26 PM, Ann wrote:\nhi",
		"Ann One <a@x.org> writes:\n\n> hi",
		"2012/4/2 Ann One <a@x.org>:\n> hi",
		"2012-04-02 18:26 GMT+02:00 Ann One <a@x.org>:\n\nhi",
		"Am 02.04.2012 um 18:26 schrieb Ann One <a@x.org>:\n> hi",
		"Am Montag, 2. April 2012, 18:26:00 CEST schrieb Ann:\n> hi",
		"Le lun. 2 avr. 2012 à 18:26, Ann One <a@x.org> a écrit :\nhi",
		"El lun., 2 abr. 2012 a las 18:26, Ann One (<a@x.org>) escribió:\nhi",
		"Em seg., 2 de abr. de 2012 às 18:26, Ann <a@x.org> escreveu:\nhi",
		"Il giorno lun 2 apr 2012 alle ore 18:26 Ann <a@x.org> ha scritto:\nhi",
		"Op ma 2 apr. 2012 om 18:26 schreef Ann One <a@x.org>:\nhi",
		"Den mån 2 apr. 2012 kl 18:26 skrev Ann One <a@x.org>:\nhi",
		"ma 2. huhtik. 2012 klo 18.26 Ann One (a@x.org) kirjoitti:\nhi",
		"pon., 2 kwi 2012 o 18:26 Ann One <a@x.org> napisał(a):\nhi",
		"2 апреля 2012 г., 18:26 пользователь Ann <a@x.org> написал:\n> hi",
		"пн, 2 апр. 2012 г. в 18:26, Ann One <a@x.org>:\n> hi",
		"02.04.2012 18:26, Ann One пишет:\n> hi",
		"02.04.2012, 18:26, \"Ann One\" <a@x.org>:\nhi",
		"Понедельник, 2 апреля 2012, 18:26 +04:00 от Ann One <a@x.org>:\nhi",
		"2012年4月2日 18:26，Ann One <a@x.org>写道：\nhi",
		"2012年4月2日(月) 18:26 Ann One <a@x.org>:\nhi",
		"2 Nis 2012 Pzt, saat 18:26 tarihinde Ann <a@x.org> şunu yazdı:\nhi",
		"-----Original Message-----\nhi",
		"----- Исходное сообщение -----\nhi",
		"-------- Ursprüngliche Nachricht --------\nVon: a@x.org\nhi",
		"________________________________\nFrom: Ann <a@x.org>\nSent: Monday, April 2, 2012 6:26 PM\nTo: Bob\nSubject: Re: x\n\nhi",
		"From: Ann\nDate: Monday\nTo: Bob\nSubject: x\n\nhi",
		"*From:* Ann\n*Sent:* Monday\n*To:* Bob\n*Subject:* x\n\nhi",
		"Von: Ann\nGesendet: Montag\nAn: Bob\nBetreff: x\n\nhi",
		"De : Ann\nEnvoyé : lundi\nÀ : Bob\nObjet : x\n\nhi",
		"De: Ann\nEnviado el: lunes\nPara: Bob\nAsunto: x\n\nhi",
		"От: Ann\nОтправлено: понедельник\nКому: Bob\nТема: x\n\nhi",
		"发件人: Ann\n发送时间: 2012\n收件人: Bob\n主题: x\n\nhi",
		"差出人: Ann\n送信日時: 2012\n宛先: Bob\n件名: x\n\nhi",
		"> hi\n> there",
	}
	for _, q := range quotes {
		for _, gap := range []string{"\n\n", "\n"} {
			r := Split("Thanks, it works now.\nSee you."+gap+q+"\n", Options{})
			if r.Text != "Thanks, it works now.\nSee you." || r.Quoted != strings.TrimSpace(q) || r.Signature != "" {
				t.Errorf("%q:\n%+v", q, r)
			}
		}
	}
	texts := []string{
		"On Monday we meet:\n\nagenda follows",
		"Here is what I wrote:\n\nthe text",
		"On your host you can run:\n\n   telnet 127.0.0.1 25\n\nthen tell me.",
		"From: the start of my text\n\nit went on.",
		"To do:\n- one\n- two",
		"------------------------\nA table\n------------------------",
		"Sent from my desk, is much easier than my phone.",
		"I'm writing because of:\n-- first point\n-- second point\n\nThanks!",
		"The date: 2012-04-02 18:26\nThe place: here",
		"Subject: matter of taste",
	}
	for _, s := range texts {
		if r := Split(s, Options{}); r != (Reply{Text: s}) {
			t.Errorf("%q:\n%+v", s, r)
		}
	}
}

func TestReply(t *testing.T) {
	tests := []struct {
		name, in string
		want     Reply
	}{
		{"signature", "Hello\n\n-- \nAnn\nx.org", Reply{"Hello", "", "-- \nAnn\nx.org"}},
		{"mobile signature", "Hello\n\nSent from my iPhone", Reply{"Hello", "", "Sent from my iPhone"}},
		{"mobile signature in Russian", "Привет\n\nОтправлено с iPhone", Reply{"Привет", "", "Отправлено с iPhone"}},
		{"advertisement above a header block", "Hello\n\nGet Outlook for iOS<https://aka.ms/x>\n________________________________\nFrom: Ann\nSent: now\nTo: Bob\nSubject: x\n\nhi",
			Reply{"Hello", "________________________________\nFrom: Ann\nSent: now\nTo: Bob\nSubject: x\n\nhi", "Get Outlook for iOS<https://aka.ms/x>"}},
		{"answers between the lines", "On Mon, 2 Apr 2012, Ann wrote:\n> one?\nyes\n> two?\nno\n", Reply{"yes\nno", "On Mon, 2 Apr 2012, Ann wrote:\n> one?\n> two?", ""}},
		{"answer below", "On 2 Apr 2012, Ann wrote:\n> hi\n\nHello", Reply{"Hello", "On 2 Apr 2012, Ann wrote:\n> hi", ""}},
		{"wrapped quote", "Hello\n\n> a quoted line that is so long that the mailer of its sender had to\nwrap it\n> and goes on",
			Reply{"Hello", "> a quoted line that is so long that the mailer of its sender had to\nwrap it\n> and goes on", ""}},
		{"nothing but a forwarded mail", "---------- Forwarded message ---------\nFrom: Ann\n\nhi", Reply{"---------- Forwarded message ---------\nFrom: Ann\n\nhi", "", ""}},
		{"list footer", "Hello\n\n-Ann\n\n\n____________________\nlist mailing list\nlist@x.org", Reply{"Hello", "", "-Ann\n\n\n____________________\nlist mailing list\nlist@x.org"}},
		{"bullets", "Two things:\n\n-one\n-two", Reply{"Two things:\n\n-one\n-two", "", ""}},
		{"empty", "", Reply{}},
	}
	for _, tt := range tests {
		if got := Split(tt.in, Options{}); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

// TestReplyLinear: no text makes the split slow.
func TestReplyLinear(t *testing.T) {
	for _, line := range []string{"a:\n", "On 2 Apr 2012:\n", "wrote:\n", "From:\n", "> \n", "--\n", "\n", "Sent from my x\n", "_____\n", strings.Repeat("x", 499) + ":\n", ">a:\n\n"} {
		text := "x\n" + strings.Repeat(line, (1<<20)/len(line))
		start := time.Now()
		Split(text, Options{})
		if d := time.Since(start); d > 20*time.Second { // tens of milliseconds, on a machine of its own
			t.Errorf("a megabyte of %.20q takes %v", line, d)
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add("Hello\n\nOn Mon, 2 Apr 2012, Ann wrote:\n> hi\n\n-- \nBob")
	f.Add("From: a\nTo: b\nSubject: c\n\nSent from my x\n-----Original Message-----")
	f.Fuzz(func(t *testing.T, s string) {
		r := Split(s, Options{})
		kept := len(strings.Join(strings.Fields(r.Text+" "+r.Quoted+" "+r.Signature), ""))
		if all := len(strings.Join(strings.Fields(s), "")); kept != all {
			t.Errorf("%d of %d octets are in %+v", kept, all, r)
		}
		if slow := Split(s, Options{Marker: "a marker that is in no text"}); slow != r {
			t.Errorf("a closer look gives %+v, not %+v", slow, r)
		}
	})
}

// TestReplyTexts reads the plain texts that lie beside the mails of the corpus.
func TestReplyTexts(t *testing.T) {
	want := map[string]string{
		"github-reply/email_1_3.txt":                                   "Oh thanks.\n\nHaving the function would be great.\n\n-Abhishek Kona",
		"github-reply/email_1_4.txt":                                   "Awesome! I haven't had another problem with it.",
		"github-reply/email_1_7.txt":                                   ":+1:",
		"github-reply/email_2_1.txt":                                   "Outlook with a reply",
		"github-reply/email_2_2.txt":                                   "Outlook with a reply directly above line",
		"github-reply/email_2_3.txt":                                   "Outlook with a reply directly above line",
		"github-reply/email_BlackBerry.txt":                            "Here is another email",
		"github-reply/email_multi_word_sent_from_my_mobile_device.txt": "Here is another email",
		"github-reply/correct_sig.txt":                                 "this is an email with a correct -- signature.",
		"github-reply/email_one_is_not_on.txt":                         "Thank, this is really helpful.\n\nOne outstanding question I had:\n\nLocally (on development), when I run...",
		"crisp-reply/email_20.txt":                                     "On Thursday.",
		"crisp-reply/email_thread.txt":                                 "This is new email reply in thread from bellow.",
		"crisp-reply/email_tricky_19_quote_without_header.txt":         "I wanted to respond to your points:\n\n\nMy response to the quoted text above.\n\n\nAnd my final thoughts.",
		"crisp-reply/email_tricky_11_double_signature.txt":             "Thanks for your help!\n\nBest regards,\nJohn",
		"crisp-reply/sig_no_empty_line.txt":                            "this is an email with a signature with no empty line above.",
		"github-reply/email_sig_delimiter_in_middle_of_line.txt":       "Hi there!\n\nStuff happened.\n\nAnd here is a fix -- this is not a signature.\n\nkthxbai",
		"crisp-reply/email_sent_from_my_not_signature.txt":             "Here is another email\n\nSent from my desk, is much easier then my mobile phone.",
		"crisp-reply/email_not_a_signature_2.txt":                      "Hello,\n\nI'm writing you because of:\n-- first point needs to be checked\n-- second point needs to be checked\n-- and also third point needs to be checked\n\nI hope you can check it\n\nThanks!",
	}
	for file, text := range want {
		b, err := os.ReadFile(filepath.Join("../../../../shared/corpus", file))
		if err != nil {
			t.Skip("no corpus here")
		}
		if got := Split(strings.ReplaceAll(string(b), "\r\n", "\n"), Options{}).Text; got != text {
			t.Errorf("%s: %q", file, got)
		}
	}
}
