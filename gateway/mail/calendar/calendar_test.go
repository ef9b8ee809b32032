package calendar

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"an invitation", "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1@x.org\nSEQUENCE:2\nDTSTART;TZID=Europe/Berlin:20261124T100000\nDTEND;TZID=Europe/Berlin:20261124T110000\n" +
			"ORGANIZER;CN=\"Bo; B: B\":mailto:bo@x.org\nATTENDEE;PARTSTAT=ACCEPTED;CN=Ann:MAILTO:ann@x.org\nATTENDEE;RSVP=TRUE;CN=Cy\n :mailto:cy@x.org\nEND:VEVENT\nEND:VCALENDAR\n",
			"[{REQUEST 1@x.org 2  2026-11-24T10:00:00+01:00 2026-11-24T11:00:00+01:00 bo@x.org [{ann@x.org accepted} {cy@x.org needs-action}]}]"},
		{"a zone of Windows, in summer", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=\"W. Europe Standard Time\":20260724T100000\nDURATION:PT1H30M\nEND:VEVENT\nEND:VCALENDAR\n",
			"[{PUBLISH 1 0  2026-07-24T10:00:00+02:00 2026-07-24T11:30:00+02:00  []}]"},
		{"a zone of the calendar's own, which nobody knows", "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:My Zone\nEND:VTIMEZONE\nBEGIN:VEVENT\nDTSTART;TZID=My Zone:20260724T100000\nEND:VEVENT\nEND:VCALENDAR\n", "[{PUBLISH  0  2026-07-24T10:00:00   []}]"},
		{"a vendor's prefix", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=/freeassociation.sourceforge.net/Asia/Tokyo:20260724T100000\nEND:VEVENT\nEND:VCALENDAR\n", "[{PUBLISH  0  2026-07-24T10:00:00+09:00   []}]"},
		{"whole days", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nEND:VEVENT\nEND:VCALENDAR\n", "[{PUBLISH  0  2026-12-24 2026-12-27  []}]"},
		{"UTC, and a zone that nobody knows", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261124T100000Z\nDTEND;TZID=Mars:20261124T110000\nEND:VEVENT\nEND:VCALENDAR\n", "[{PUBLISH  0  2026-11-24T10:00:00Z 2026-11-24T11:00:00  []}]"},
		{"alarms and zones are passed over", "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART:16010101T000000\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\nBEGIN:VALARM\nUID:2\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR\n", "[{PUBLISH 1 0     []}]"},
		{"never closed", "BEGIN:VCALENDAR\r\nmethod:reply\r\nBEGIN:VEVENT\r\nUID:1\r\nATTENDEE;PARTSTAT=declined:mailto:ann@x.org", "[{REPLY 1 0     [{ann@x.org declined}]}]"},
		{"a task", "BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:t\nDUE:20261124T100000Z\nEND:VTODO\nEND:VCALENDAR", "[{PUBLISH t 0   2026-11-24T10:00:00Z  []}]"},
		{"one occurrence of a series is called off", "BEGIN:VCALENDAR\nMETHOD:CANCEL\nBEGIN:VEVENT\nUID:s\nSEQUENCE:3\nRECURRENCE-ID;TZID=Romance Standard Time:20261201T090000\nDTSTART;TZID=Romance Standard Time:20261202T090000\nEND:VEVENT\nEND:VCALENDAR\n",
			"[{CANCEL s 3 2026-12-01T09:00:00+01:00 2026-12-02T09:00:00+01:00   []}]"},
		{"one day of a series of whole days", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:s\nRECURRENCE-ID;VALUE=DATE:20261224\nEND:VEVENT\nEND:VCALENDAR\n", "[{PUBLISH s 0 2026-12-24    []}]"},
		{"people named by a directory's entry", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nORGANIZER;CN=Bo;EMAIL=bo@x.org:/aMTIzNA/principal/\nATTENDEE;EMAIL=\"ann@x.org\":urn:uuid:1-2\nATTENDEE;EMAIL=other@x.org:mailto:cy@x.org\nEND:VEVENT\nEND:VCALENDAR\n",
			"[{PUBLISH  0    bo@x.org [{ann@x.org needs-action} {cy@x.org needs-action}]}]"},
		{"whole days that don't say so", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:20261224\nDTSTART:20261224\nDURATION:P1D\nEND:VEVENT\nEND:VCALENDAR\n", "[{PUBLISH 20261224 0  2026-12-24 2026-12-25  []}]"},
		{"no calendar", "Hello", "[]"},
		{"bad times", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:tomorrow\nDURATION:P\nSEQUENCE:-1\nEND:VEVENT\n", "[{PUBLISH  0     []}]"},
	} {
		in, unknown := Read(tt.in, "publish")
		if known := !strings.Contains(tt.name, "nobody knows"); known != (unknown == "") {
			t.Errorf("%s: the zone %q", tt.name, unknown)
		}
		if got := fmt.Sprint(in); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestWindowsZones: every zone of Windows that is known has a name that Go knows.
func TestWindowsZones(t *testing.T) {
	for id, name := range windowsZones {
		if _, err := time.LoadLocation(name); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestLinear: what a stranger makes large costs little; a quadratic reader takes
// many minutes, a busy machine some seconds.
func TestLinear(t *testing.T) {
	for name, in := range map[string]string{
		"a parameter": "BEGIN:VCALENDAR\nBEGIN:VEVENT\nATTENDEE;PARTSTAT=" + strings.Repeat("x", 1<<20) + ":a\n", "folds": "BEGIN:VCALENDAR\nUID:" + strings.Repeat("\n x", 1<<19), "begins": strings.Repeat("BEGIN:VEVENT\n", 1<<17),
		"attendees": "BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + strings.Repeat("ATTENDEE:a\n", 1<<17), "semicolons": "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID" + strings.Repeat(";", 1<<20) + ":x\n", "quotes": strings.Repeat("UID;\"\n", 1<<18),
	} {
		start := time.Now()
		Read(in, "")
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s: %v", name, took)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=UTC:20261124T100000\nDURATION:PT1H\nATTENDEE;PARTSTAT=A:b\nEND:VEVENT\nEND:VCALENDAR\n")
	f.Add("BEGIN:VCALENDAR\n" + sydney + "BEGIN:VEVENT\nDTSTART;TZID=Our Sydney:20260715T100000\nEND:VEVENT\nEND:VCALENDAR\n")
	f.Add("BEGIN:VEVENT\nUID;=\"\n :\"x\\")
	f.Fuzz(func(t *testing.T, s string) { Read(s, "") })
}
