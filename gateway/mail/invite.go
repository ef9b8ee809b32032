package mail

import (
	"slices"
	"strings"

	"postern/gateway/mail/calendar"
	"postern/gateway/mail/charset"
	"postern/gateway/mail/header"
	shown "postern/gateway/text"
)

// maxInvitations bounds Message.Calendar.
const maxInvitations = 100

// maxCalendar bounds how much of a calendar is read, in octets.
const maxCalendar = 1 << 20

// calendars reads the mail's calendars. Many mails hold the same one twice, as a
// part and as a file.
func (p *parser) calendars() {
	for i := range p.msg.Attachments {
		a := &p.msg.Attachments[i]
		if !isCalendar(a) {
			continue
		}
		text, _ := charset.Decode(p.partOf(a, maxCalendar), a.Charset)
		found, unknown := calendar.Read(text, paramOf(a, "method"))
		if unknown != "" {
			p.defectf("the time zone %q of a calendar isn't known; its times are without offset", shown.Shorten(header.Clean(unknown), 60))
		}
		for _, in := range found {
			same := func(o calendar.Invitation) bool {
				return o.UID == in.UID && o.Sequence == in.Sequence && o.RecurrenceID == in.RecurrenceID && o.Start == in.Start && (o.Method == in.Method || in.Method == "")
			}
			if len(p.msg.Calendar) < maxInvitations && !slices.ContainsFunc(p.msg.Calendar, same) {
				p.msg.Calendar = append(p.msg.Calendar, in)
			}
		}
	}
}

// isCalendar knows a calendar by its type, or by its name where the type is nobody's.
func isCalendar(a *Attachment) bool {
	switch a.ContentType {
	case "text/calendar", "application/ics", "text/x-calendar", "text/x-vcalendar":
		return true
	}
	return strings.HasSuffix(strings.ToLower(a.Filename), ".ics")
}

func paramOf(a *Attachment, name string) string {
	for _, p := range a.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}
