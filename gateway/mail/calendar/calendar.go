package calendar

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones by name, also in an image without files

	"github.com/emersion/go-ical"
)

// Invitation is one event (or task) of a calendar.
type Invitation struct {
	Method   string // REQUEST, REPLY, CANCEL, PUBLISH …; "" unknown
	UID      string
	Sequence int
	// RecurrenceID is which occurrence of a repeated event it is about, as Start: the
	// time at which that one stood at first (RFC 5545, 3.8.4.4); "" for all of them.
	RecurrenceID string

	Start     string // RFC 3339; a date for whole days; without offset where the zone isn't known; "" without
	End       string // the same
	Organizer string // address, "" unknown
	Attendees []Attendee
}

// Attendee is who is asked, or who answers.
type Attendee struct {
	Address string
	Answer  string // needs-action, accepted, declined, tentative, delegated …
}

// Read reads a calendar in UTF-8. The method is the Content-Type's, for a calendar
// that names none. unknown is a time zone that an event's times are in and that
// neither a list of zones nor the calendar itself explains: they are without offset.
func Read(text, method string) (out []Invitation, unknown string) {
	lines, unknown := rewritten(text)
	cal, err := ical.NewDecoder(bytes.NewReader(lines)).Decode()
	if err != nil {
		return nil, ""
	}
	if m := value(cal.Props, ical.PropMethod); m != "" {
		method = m
	}
	for _, c := range cal.Children {
		out = append(out, invitation(c.Props, strings.ToUpper(method)))
	}
	return out, unknown
}

// invitation reads the properties of an event.
func invitation(p ical.Props, method string) Invitation {
	sequence, _ := strconv.Atoi(value(p, ical.PropSequence))
	i := Invitation{
		Method: method, UID: value(p, ical.PropUID), Sequence: max(0, sequence),
		RecurrenceID: moment(p.Get(ical.PropRecurrenceID), 0),
		Start:        moment(p.Get(ical.PropDateTimeStart), 0), Organizer: address(p.Get(ical.PropOrganizer)),
	}
	for _, name := range [...]string{ical.PropDateTimeEnd, ical.PropDue} {
		if i.End == "" {
			i.End = moment(p.Get(name), 0)
		}
	}
	if d := p.Get(ical.PropDuration); d != nil && i.End == "" {
		if n, err := d.Duration(); err == nil {
			i.End = moment(p.Get(ical.PropDateTimeStart), n)
		}
	}
	attendees := p.Values(ical.PropAttendee)
	for n := range attendees {
		a := &attendees[n]
		answer := strings.ToLower(a.Params.Get(ical.ParamParticipationStatus))
		if answer == "" {
			answer = "needs-action"
		}
		i.Attendees = append(i.Attendees, Attendee{address(a), answer})
	}
	return i
}

func value(p ical.Props, name string) string {
	if v := p.Get(name); v != nil {
		return strings.TrimSpace(v.Value)
	}
	return ""
}

// address is a person's: the value's, or that of EMAIL where the value names a
// person's entry in a server's directory, as iCloud does (RFC 7986, 6.2).
func address(p *ical.Prop) string {
	if p == nil {
		return ""
	}
	s := strings.TrimSpace(p.Value)
	switch email := p.Params.Get(ical.ParamEmail); {
	case len(s) >= 7 && strings.EqualFold(s[:7], "mailto:"):
		s = s[7:]
	case email != "" && !strings.Contains(s, "@"):
		s = email
	}
	return strings.Trim(s, " <>")
}

// moment is a time a while after the one of a property, "" for none.
func moment(p *ical.Prop, later time.Duration) string {
	if p == nil {
		return ""
	}
	t, err := p.DateTime(time.UTC)
	if err != nil {
		return ""
	}
	t = t.Add(later)
	switch {
	case t.Year() > 9999 || t.Year() < 1:
		return ""
	case len(p.Value) == len("20060102") && later%(24*time.Hour) == 0:
		return t.Format(time.DateOnly)
	case p.Params.Get(ical.PropTimezoneID) == "" && !strings.HasSuffix(p.Value, "Z"):
		return t.Format("2006-01-02T15:04:05")
	}
	return t.Format(time.RFC3339)
}
