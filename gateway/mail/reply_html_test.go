package mail

import (
	"strings"
	"testing"
)

// htmlReplies are answers as mail programs write them in HTML; OLD is quoted,
// NEW and MORE are the author's.
var htmlReplies = map[string]string{
	"Gmail":                       `<div dir="ltr">NEW</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">On Mon, Mar 2, 2026 at 10:00 AM Bob &lt;<a href="mailto:bob@in.example">bob@in.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0px"><div>OLD</div></blockquote></div>`,
	"Gmail, interleaved":          `<div dir="ltr">NEW<br><div class="gmail_quote"><div class="gmail_attr">On Mon, Mar 2, 2026 Bob wrote:<br></div><blockquote class="gmail_quote">OLD one?</blockquote><div>MORE</div><blockquote class="gmail_quote">OLD two?</blockquote></div></div>`,
	"Gmail, any language":         `<div dir="rtl">NEW</div><div class="gmail_quote"><div class="gmail_attr">xx yy zz<br></div><blockquote class="gmail_quote">OLD</blockquote></div>`,
	"Thunderbird, below":          `<html><body><div class="moz-cite-prefix">On 11/23/26 09:00, Bob wrote:<br></div><blockquote type="cite" cite="mid:x"><p>OLD</p></blockquote><p>NEW</p></body></html>`,
	"Thunderbird, above":          `<html><body><p>NEW</p><div class="moz-cite-prefix">foo bar Bob:<br></div><blockquote type="cite"><p>OLD</p></blockquote></body></html>`,
	"Apple Mail":                  `<html><body>NEW<br><div><br><blockquote type="cite"><div>On Mar 2, 2026, at 10:00, Bob &lt;bob@in.example&gt; wrote:</div><br><div><div>OLD</div></div></blockquote></div></body></html>`,
	"iPhone":                      `<html><body>NEW<br><br><div dir="ltr">Sent from my iPhone</div><div dir="ltr"><br><blockquote type="cite">On Mar 2, 2026, at 10:00 AM, Bob wrote:<br><br></blockquote></div><blockquote type="cite"><div dir="ltr">OLD</div></blockquote></body></html>`,
	"Outlook.com":                 `<html><body><div>NEW</div><div id="appendonsend"></div><hr style="width:98%"><div id="divRplyFwdMsg"><font><b>From:</b> Bob &lt;bob@in.example&gt;<br><b>Sent:</b> Monday, March 2, 2026 10:00 AM<br><b>To:</b> Ann<br><b>Subject:</b> Order</font></div><div>OLD</div></body></html>`,
	"Outlook.com, any language":   `<html><body><div>NEW</div><hr><div id="divRplyFwdMsg"><b>Xx</b> Bob<br><b>Yy</b> foo</div><div><p>OLD</p></div></body></html>`,
	"Outlook for Windows":         `<html><body><div class="WordSection1"><p class="MsoNormal">NEW<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p><div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in"><p class="MsoNormal"><b>From:</b> Bob &lt;bob@in.example&gt; <br><b>Sent:</b> Monday, March 2, 2026 10:00 AM<br><b>To:</b> Ann<br><b>Subject:</b> Order<o:p></o:p></p></div></div><p class="MsoNormal">OLD<o:p></o:p></p></div></body></html>`,
	"Outlook for Windows, German": `<html><body><div class="WordSection1"><p class="MsoNormal">NEW</p><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p class="MsoNormal"><b>Von:</b> Bob &lt;bob@in.example&gt; <br><b>Gesendet:</b> Montag, 2. März 2026 10:00<br><b>An:</b> Ann<br><b>Betreff:</b> Order</p></div><p class="MsoNormal">OLD</p></div></body></html>`,
	"Outlook for iOS":             `<html><body><div>NEW</div><div id="ms-outlook-mobile-signature">Get <a href="https://aka.ms/o0ukef">Outlook for iOS</a></div><hr><div id="divRplyFwdMsg">From: Bob<br>Sent: x<br>To: y<br>Subject: z</div>OLD</body></html>`,
	"Yahoo":                       `<html><body><div class="yahoo-style-wrap"><div>NEW</div></div><div id="yahoo_quoted_123" class="yahoo_quoted"><div><div>On Monday, March 2, 2026 at 10:00:00 AM GMT+1, Bob wrote:</div><div>OLD</div></div></div></body></html>`,
	"Yahoo, wrapped":              `<div>NEW</div><div id="ydp1c2yahoo_quoted_1" class="ydp1c2yahoo_quoted"><div>foo</div><div>OLD</div></div>`,
	"Proton":                      `<div>NEW</div><div class="protonmail_quote">On Monday, March 2nd, 2026 at 10:00 AM, Bob &lt;bob@in.example&gt; wrote:<br><blockquote class="protonmail_quote" type="cite">OLD</blockquote></div>`,
	"Zoho":                        `<div>NEW</div><div class="zmail_extra"><div>---- On Mon, 02 Mar 2026 10:00:00 +0100 <b>Bob &lt;bob@in.example&gt;</b> wrote ----</div><blockquote>OLD</blockquote></div>`,
	"GMX":                         `<div>NEW<div name="quote" style="margin:10px"><div><b>Gesendet:</b> Montag<br><b>Von:</b> Bob</div><div>OLD</div></div></div>`,
	"Mail.ru":                     `<div>NEW</div><blockquote style="border-left:1px solid #0857A6">Понедельник, 2 марта 2026, 10:00 +03:00 от Bob &lt;bob@in.example&gt;:<br>OLD</blockquote>`,
	"Sparrow":                     `<div>NEW</div><p style="color:#A0A0A8">On Tuesday, April 3, 2012 at 4:55 PM, xxx wrote:</p><blockquote type="cite"><div>OLD</div></blockquote>`,
	"no markup at all":            `<p>NEW</p><p>On Mon, Mar 2, 2026 at 10:00 AM Bob &lt;bob@in.example&gt; wrote:</p><p>OLD</p>`,
	"QQ":                          `<div>NEW</div><div><br></div><div style="font-size:12px">------------------&nbsp;原始邮件&nbsp;------------------</div><div>发件人: Bob</div><div>OLD</div>`,
	"Samsung":                     `<div>NEW</div><div><br></div><div id="composer_signature">Sent from my Galaxy</div><div>-------- Original message --------</div><div>From: Bob &lt;bob@in.example&gt; </div><div>Date: 02/03/2026 10:00 (GMT+01:00) </div><div>To: Ann </div><div>Subject: Order </div><div><br></div><div>OLD</div>`,
	"eM Client":                   `<div>NEW</div><div>------ Original Message ------</div><div>From "Bob" &lt;bob@in.example&gt;</div><div>To "Ann"</div><div id="x"><blockquote cite="x" type="cite" class="cite">OLD</blockquote></div>`,
	"Front":                       `<div>NEW</div><br><div class="front-signature"></div><blockquote type="cite" class="front-blockquote">On March 2, 2026 Bob wrote:<br>OLD</blockquote>`,
	"Lotus Notes":                 `<font>NEW</font><br><br><font color=#990099>-----Bob &lt;bob@in.example&gt; wrote: -----</font><div>To: ann<br>From: Bob<br>OLD</div>`,
	"help desk":                   `<div>NEW</div><div style="color:#b5b5b5">##- Please type your reply above this line -##</div><div>OLD</div>`,
	"table around it all":         `<table><tr><td><div>NEW</div></td></tr><tr><td><div class="gmail_quote">OLD</div></td></tr></table>`,
}

func TestHTMLReplies(t *testing.T) {
	for name, html := range htmlReplies {
		for _, mail := range []string{
			"Content-Type: text/html; charset=utf-8\n\n" + html,
			"Content-Type: multipart/alternative; boundary=b\n\n--b\n\nNEW\nMORE\n\n> OLD\n--b\nContent-Type: text/html; charset=utf-8\n\n" + html + "\n--b--\n",
		} {
			m, err := Parse(Bytes(mail), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			alone := !strings.Contains(mail, "--b")
			if r := m.Reply; alone && (!strings.HasPrefix(r.Text, "NEW") || strings.Contains(html, "MORE") != strings.Contains(r.Text, "MORE") || len(r.Text) > len("NEW\n\nMORE") || !strings.Contains(r.Quoted, "OLD")) {
				t.Errorf("%s: reply %q, quoted %q, signature %q", name, r.Text, r.Quoted, r.Signature)
			}
			got := m.ReplyHTML()
			if !strings.Contains(got, "NEW") || strings.Contains(html, "MORE") != strings.Contains(got, "MORE") || strings.Contains(got, "OLD") || strings.Contains(got, "wrote") || strings.Contains(got, "Bob") {
				t.Errorf("%s: HTML of the reply %q", name, got)
			}
			if strings.Count(got, "<div") != strings.Count(got, "</div") || strings.Count(got, "<td") != strings.Count(got, "</td") {
				t.Errorf("%s: elements are open in %q", name, got)
			}
		}
	}
	for _, html := range []string{"<p>NEW</p>", "<blockquote>a saying</blockquote>", "<div class=gmail_quote>OLD</div>"} {
		m, err := Parse(Bytes("Content-Type: text/html\n\n"+html), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.ReplyHTML(); got != "" {
			t.Errorf("%s: HTML of the reply %q", html, got)
		}
	}
}

// TestBodyParts: a part without an alternative belongs to the text and to the
// HTML.
func TestBodyParts(t *testing.T) {
	part := func(kind, content string) string { return "--b\nContent-Type: text/" + kind + "\n\n" + content + "\n" }
	alternatives := "--b\nContent-Type: multipart/alternative; boundary=a\n\n--a\n\nplain\n--a\nContent-Type: text/html\n\n<p>markup</p>\n--a--\n"
	tests := []struct{ name, parts, text, html string }{
		{"HTML with a list's footer", part("html", "<p>Ship it.</p>") + part("plain", "____\nusers & list"), "Ship it.\n____\nusers & list", "<p>Ship it.</p>\n<div style=\"white-space:pre-wrap\">____\nusers &amp; list</div>"},
		{"plain with a disclaimer in HTML", part("plain", "Ship it.") + part("html", "<i>Secret.</i>"), "Ship it.\nSecret.", "<div style=\"white-space:pre-wrap\">Ship it.</div>\n<i>Secret.</i>"},
		{"two plain", part("plain", "a") + part("plain", "b"), "a\nb", ""},
		{"two HTML", part("html", "<p>a</p>") + part("html", "<p>b</p>"), "a\nb", "<p>a</p>\n<p>b</p>"},
		{"alternatives", alternatives, "plain", "<p>markup</p>"},
		{"alternatives with a footer", alternatives + part("plain", "footer"), "plain\nfooter", "<p>markup</p>\n<div style=\"white-space:pre-wrap\">footer</div>"},
		{"alternatives with a blank text", "--b\nContent-Type: multipart/alternative; boundary=a\n\n--a\n\n \n--a\nContent-Type: text/html\n\n<p>markup</p>\n--a--\n", "markup", "<p>markup</p>"},
	}
	for _, tt := range tests {
		m, err := Parse(Bytes("Content-Type: multipart/mixed; boundary=b\n\n"+tt.parts+"--b--\n"), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if m.Text != tt.text || m.HTML != tt.html {
			t.Errorf("%s:\ntext %q, want %q\nhtml %q, want %q", tt.name, m.Text, tt.text, m.HTML, tt.html)
		}
	}
}

func TestWithMarker(t *testing.T) {
	m, err := Parse(Bytes("Content-Type: text/html\n\n<p>My answer.</p><p>=== answer above ===</p><p>Old words.</p>"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Reply.Quoted != "" {
		t.Errorf("without a marker: %+v", m.Reply)
	}
	marked := m.WithMarker("=== answer above ===")
	if marked.Reply.Text != "My answer." || !strings.Contains(marked.Reply.Quoted, "Old words.") || marked.ReplyHTML() != "<p>My answer.</p>" {
		t.Errorf("%+v, HTML %q", marked.Reply, marked.ReplyHTML())
	}
	if m.Reply.Quoted != "" || m.WithMarker("") != m {
		t.Error("the message itself changed")
	}
}
