package mail

import (
	"fmt"
	"strings"
	"testing"
)

// reported is a report in one line.
func reported(r *Report) string {
	if r == nil {
		return "none"
	}
	out := string(r.Type)
	for _, to := range r.Recipients {
		out += fmt.Sprintf(" {%s|%s|%s|%s|%s}", to.Address, to.Action, to.Status, to.Diagnostic, to.RemoteMTA)
	}
	return out + fmt.Sprintf(" of %q, %d fields", r.MessageID, len(r.Headers))
}

func TestReport(t *testing.T) {
	multipart := func(kind string, parts ...string) string {
		return "From: MAILER-DAEMON@x.org\nContent-Type: multipart/report; report-type=" + kind + "; boundary=b\n\n" + part("Content-Type: text/plain", "words") + strings.Join(parts, "") + "--b--\n"
	}
	original := part("Content-Type: message/rfc822", "Message-ID: <m@y.org>\nSubject: =?utf-8?Q?caf=C3=A9?=\n\nbody")
	for _, tt := range []struct{ name, in, want string }{
		{"RFC 3464", multipart("delivery-status", part("Content-Type: message/delivery-status", "Reporting-MTA: dns; mx.x.org\nArrival-Date: now\n\nFinal-Recipient: rfc822; ann@x.org\nOriginal-Recipient: rfc822;Ann@X.org\nAction: failed (x)\n"+
			"Status: 5.1.1 (no such user)\nRemote-MTA: dns; mx.y.org\nDiagnostic-Code: smtp; 550 5.1.1\n no such user\n\nFinal-Recipient: rfc822;bob@x.org\nAction: Delayed\nStatus: 4.4.1"), original),
			`delivery-status {Ann@X.org|failed|5.1.1|550 5.1.1 no such user|mx.y.org} {bob@x.org|delayed|4.4.1||} of "m@y.org", 2 fields`},
		{"headers only", multipart("delivery-status", part("Content-Type: message/delivery-status", "Final-Recipient: rfc822; ann@x.org\nAction: delivered\nStatus: 2.0.0"), part("Content-Type: text/rfc822-headers", "Message-ID: <m@y.org>\nTo: a@x.org")),
			`delivery-status {ann@x.org|delivered|2.0.0||} of "m@y.org", 2 fields`},
		{"RFC 5965", multipart("feedback-report", part("Content-Type: message/feedback-report", "Feedback-Type: abuse\nUser-Agent: SomeGenerator/1.0\nVersion: 1\nOriginal-Rcpt-To: <ann@x.org>\nOriginal-Rcpt-To: bob@x.org\nReporting-MTA: dns; mx.x.org"), original),
			`feedback-report {ann@x.org|abuse||SomeGenerator/1.0|mx.x.org} {bob@x.org|abuse||SomeGenerator/1.0|mx.x.org} of "m@y.org", 2 fields`},
		{"RFC 8098", multipart("disposition-notification", part("Content-Type: message/disposition-notification", "Reporting-UA: pc; Mail 1\nFinal-Recipient: rfc822; ann@x.org\nOriginal-Message-ID: <m@y.org>\nDisposition: manual-action/MDN-sent-manually; displayed")),
			`disposition-notification {ann@x.org|displayed|||pc; Mail 1} of "m@y.org", 0 fields`},
		{"qmail", "From: MAILER-DAEMON@x.org\nSubject: failure notice\n\nHi. This is the qmail-send program at x.org.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<ann@y.org>:\n192.0.2.1 does not like recipient.\n" +
			"Remote host said: 550 5.1.1 no such user\nGiving up on 192.0.2.1.\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <b@x.org>\nMessage-ID: <m@y.org>\nSubject: x\n\nbody\n",
			`delivery-status {ann@y.org|failed|5.1.1|192.0.2.1 does not like recipient. Remote host said: 550 5.1.1 no such user Giving up on 192.0.2.1.|192.0.2.1} of "m@y.org", 3 fields`},
		{"Exim", "From: Mailer-Daemon@x.org\nX-Failed-Recipients: ann@y.org\nSubject: Mail delivery failed: returning message to sender\n\nThis message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered.\n\n  ann@y.org\n" +
			"    host mx.y.org [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<ann@y.org>:\n    550 5.7.1 refused\n\n------ This is a copy of the message, including all the headers. ------\n\nMessage-ID: <m@y.org>\n\nbody\n",
			`delivery-status {ann@y.org|failed|5.7.1|host mx.y.org [192.0.2.1] SMTP error from remote mail server after RCPT TO:<ann@y.org>: 550 5.7.1 refused|mx.y.org} of "m@y.org", 1 fields`},
		{"Exim's delay", "From: Mailer-Daemon@x.org\nSubject: Warning: message 1 delayed 24 hours\nAuto-Submitted: auto-replied\n\nThe address to which the message has not yet been delivered is:\n\n  ann@y.org\n    Delay reason: timeout\n",
			`delivery-status {ann@y.org|delayed||Delay reason: timeout|} of "", 0 fields`},
		{"Gmail's old text", "From: mailer-daemon@googlemail.com\nX-Failed-Recipients: ann@y.org\nSubject: Delivery Status Notification (Failure)\n\nDelivery to the following recipient failed permanently:\n\n     ann@y.org\n\n550 5.1.1 User unknown\n\n----- Original message -----\n\nMessage-ID: <m@y.org>\n\nbody\n",
			`delivery-status {ann@y.org|failed|5.1.1|550 5.1.1 User unknown|} of "m@y.org", 1 fields`},
		{"an attached mail", "From: postmaster@x.org\nSubject: Undeliverable: x\nContent-Type: multipart/mixed; boundary=b\n\n" + part("Content-Type: text/plain", "ann@y.org: 550 5.1.1 unknown") + original + "--b--\n",
			`delivery-status {ann@y.org|failed|5.1.1|550 5.1.1 unknown|} of "m@y.org", 2 fields`},
		{"a person's mail", "From: ann@x.org\nSubject: x\n\nbob@y.org\n550 5.1.1\n", "none"},
		{"a forwarded mail", "From: ann@x.org\nContent-Type: multipart/mixed; boundary=b\n\n" + original + "--b--\n", "none"},
		{"an absence note", "From: ann@x.org\nSubject: Automatic reply: x\n\naway\n", "none"},
	} {
		if got := reported(parse(t, crlf(tt.in)).Report); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

func TestCalendars(t *testing.T) {
	const ics = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1@x.org\nDTSTART:20261124T100000Z\nSUMMARY:Caf\xe9\nEND:VEVENT\nEND:VCALENDAR"
	m := parse(t, crlf("Content-Type: multipart/mixed; boundary=b\n\n"+part("Content-Type: text/calendar; method=REQUEST; charset=iso-8859-1", ics)+part("Content-Type: application/ics; name=invite.ics", ics)+"--b--\n"))
	if len(m.Calendar) != 1 || m.Calendar[0].UID != "1@x.org" || m.Calendar[0].Method != "REQUEST" || m.Calendar[0].Start != "2026-11-24T10:00:00Z" {
		t.Errorf("%+v", m.Calendar)
	}
	named := part("Content-Type: application/octet-stream; name=Invite.ICS", strings.Replace(ics, "METHOD:REQUEST\n", "", 1))
	if m := parse(t, crlf("Content-Type: multipart/mixed; boundary=b\n\n"+part("Content-Type: text/calendar; method=REQUEST", ics)+named+"--b--\n")); len(m.Calendar) != 1 || m.Calendar[0].Method != "REQUEST" {
		t.Errorf("with a file without a type: %+v", m.Calendar)
	}
	if m := parse(t, crlf("Content-Type: multipart/mixed; boundary=b\n\n"+named+"--b--\n")); len(m.Calendar) != 1 || m.Calendar[0].UID != "1@x.org" {
		t.Errorf("a file without a type alone: %+v", m.Calendar)
	}
	if len(m.Attachments) != 2 || paramOf(&m.Attachments[0], "method") != "REQUEST" {
		t.Errorf("%+v", m.Attachments)
	}
}
