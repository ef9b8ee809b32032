package testmail

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
	"time"
)

// What the mails say, for those who look whether it arrived.
const (
	replyText  = "Да, в пятницу подходит. Friday works for us.\n\nAnna"
	question   = "ticket-42@in.example.com" // Message-ID of the mail that is answered
	lost       = "newsletter-7@in.example.com"
	lostTo     = "nobody@gone.example"
	imageID    = "logo@client.example"
	meeting    = "Приёмка заказа № 42"
	newsHTML   = "<!DOCTYPE html>\n<html><head><title>News</title><style>td { padding: 4px }</style></head><body>\n<h1>Новости мая</h1>\n<p>Hello,</p>\n" + newsTable + newsEnd
	newsTable  = "<table><tr><th>Item</th><th>Price</th></tr><tr><td>Самовар</td><td>4200&nbsp;₽</td></tr></table>\n"
	newsEnd    = "<p><a href=\"https://shop.example/may?utm_source=mail\">See the offer</a></p>\n<p style=\"font-size:10px\"><a href=\"https://shop.example/unsubscribe\">Unsubscribe</a></p>\n</body></html>\n"
	signature  = "-- \nАнна Иванова\nClient GmbH\n"
	quotedText = "> Hello Anna,\n> does Friday suit you?\n>\n> Your support\n"
)

// reply is an answer to a ticket of the app's, above the quoted mail.
func reply(d draft) part {
	h := d.top("Re: [Ticket 42] Приёмка заказа")
	h.SetMsgIDList("In-Reply-To", []string{question})
	h.SetMsgIDList("References", []string{"ticket-41@in.example.com", question})
	wrote := "On " + d.at.Add(-time.Hour).Format("Mon, 2 Jan 2006 at 15:04") + ", Support <" + d.to + "> wrote:\n"
	plain := replyText + "\n\n" + signature + "\n" + wrote + quotedText
	html := "<div>Да, в пятницу подходит. Friday works for us.</div><div><br></div><div>Anna</div><div class=\"gmail_signature\">Анна Иванова<br>Client GmbH</div>\n" +
		"<div class=\"gmail_quote\"><div class=\"gmail_attr\">" + strings.ReplaceAll(strings.ReplaceAll(wrote, "<", "&lt;"), ">", "&gt;") +
		"</div><blockquote class=\"gmail_quote\">Hello Anna,<br>does Friday suit you?<br><br>Your support</blockquote></div>\n"
	return multi("multipart/alternative", text("text/plain", plain), text("text/html", html)).under(h)
}

// bounce is a delivery status notification (RFC 3464) about a mail of the app's.
func bounce(d draft) part {
	h := d.from("Mail Delivery System", "MAILER-DAEMON@mx.gone.example", "Undelivered Mail Returned to Sender")
	h.Set("Auto-Submitted", "auto-replied")
	status := "Reporting-MTA: dns; mx.gone.example\r\nArrival-Date: " + d.at.Add(-time.Minute).Format(time.RFC1123Z) + "\r\n\r\n" +
		"Final-Recipient: rfc822; " + lostTo + "\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.gone.example\r\n" +
		"Diagnostic-Code: smtp; 550 5.1.1 <" + lostTo + ">: user unknown\r\n"
	original := "From: News <" + d.to + ">\r\nTo: " + lostTo + "\r\nSubject: News of May\r\nMessage-ID: <" + lost + ">\r\nDate: " +
		d.at.Add(-2*time.Minute).Format(time.RFC1123Z) + "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello!\r\n"
	p := multi("multipart/report",
		text("text/plain", "I'm sorry to have to inform you that your message could not be delivered:\n\n<"+lostTo+">: user unknown\n"),
		part{kind: "message/delivery-status", content: []byte(status)},
		part{kind: "message/rfc822", content: []byte(original)})
	p.params = map[string]string{"report-type": "delivery-status"}
	return p.under(h)
}

// attachments is a mail whose html shows an image that came with it, and three
// files.
func attachments(d draft) part {
	logo := part{kind: "image/png", content: picture()}.file("inline", "logo.png")
	logo.header.Set("Content-Id", "<"+imageID+">")
	body := multi("multipart/related", text("text/html", "<p>Здравствуйте! The papers are attached.</p><p><img src=\"cid:"+imageID+"\" alt=\"logo\"></p>\n"), logo)
	return multi("multipart/mixed",
		multi("multipart/alternative", text("text/plain", "Здравствуйте! The papers are attached.\n"), body),
		part{kind: "application/pdf", content: document("Order 42")}.file("attachment", "order-42.pdf"),
		text("text/csv", table()).file("attachment", "счёт № 42.csv"),
		part{kind: "application/octet-stream", content: bytes.Repeat([]byte{0, 1, 2, 253, 254, 255}, 1000)}.file("attachment", "data.bin"),
	).under(d.top("Заказ № 42: документы"))
}

// invitation is a request for a meeting (RFC 5546), as calendars send it.
func invitation(d draft) part {
	start := d.at.UTC().Truncate(time.Hour).Add(48 * time.Hour)
	const stamp = "20060102T150405Z"
	ics := strings.Join([]string{"BEGIN:VCALENDAR", "PRODID:-//Client//Calendar 1.0//EN", "VERSION:2.0", "METHOD:REQUEST", "BEGIN:VEVENT",
		"UID:" + d.id + "@client.example", "SEQUENCE:0", "DTSTAMP:" + d.at.UTC().Format(stamp), "DTSTART:" + start.Format(stamp), "DTEND:" + start.Add(time.Hour).Format(stamp),
		"SUMMARY:" + meeting, "LOCATION:Room 5", "ORGANIZER;CN=Anna:mailto:" + sender,
		"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:" + d.to, "STATUS:CONFIRMED", "END:VEVENT", "END:VCALENDAR", ""}, "\r\n")
	event := text("text/calendar", ics)
	event.params["method"] = "REQUEST"
	words := fmt.Sprintf("%s\n%s UTC, Room 5\n", meeting, start.Format("Monday, 2 January 2006, 15:04"))
	return multi("multipart/mixed",
		multi("multipart/alternative", text("text/plain", words), text("text/html", "<p>"+strings.ReplaceAll(words, "\n", "<br>")+"</p>\n"), event),
		part{kind: "application/ics", content: []byte(ics)}.file("attachment", "invite.ics"),
	).under(d.top("Приглашение: " + meeting))
}

// newsletter is html alone.
func newsletter(d draft) part {
	h := d.from("Магазин", "news@shop.example", "Новости мая")
	h.Set("List-Id", "News <news.shop.example>")
	h.Set("List-Unsubscribe", "<https://shop.example/unsubscribe>")
	h.Set("Precedence", "bulk")
	return text("text/html", newsHTML).under(h)
}

// picture is a small square.
func picture() []byte {
	m := image.NewPaletted(image.Rect(0, 0, 16, 16), color.Palette{color.White, color.RGBA{R: 0xc0, A: 0xff}})
	for i := range m.Pix {
		m.Pix[i] = uint8(i / 2 % 2)
	}
	var b bytes.Buffer
	_ = png.Encode(&b, m) // a buffer takes everything
	return b.Bytes()
}

// document is a PDF of one page with a line of text.
func document(line string) []byte {
	page := "BT /F1 24 Tf 72 720 Td (" + line + ") Tj ET"
	objects := []string{"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(page), page), "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"}
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	table := "0000000000 65535 f \n"
	for i, o := range objects {
		table += fmt.Sprintf("%010d 00000 n \n", b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %[1]d\n%[2]strailer\n<< /Size %[1]d /Root 1 0 R >>\nstartxref\n%[3]d\n%%%%EOF\n", len(objects)+1, table, at)
	return b.Bytes()
}

// table is a bill as a spreadsheet writes it.
func table() string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.WriteAll([][]string{{"item", "price"}, {"самовар", "4200"}, {"чашка, белая", "350"}}) // a builder takes everything
	return b.String()
}
