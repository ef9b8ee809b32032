package calendar

import (
	"strings"
	"testing"
	"time"
)

// What calendars define as zones of their own.
const (
	berlin = "BEGIN:VTIMEZONE\nTZID:(UTC+01:00) Amsterdam, Berlin, Bern, Rom\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n" +
		"BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE\n"
	sydney = "BEGIN:VTIMEZONE\nTZID:Our Sydney\nBEGIN:DAYLIGHT\nDTSTART:20081005T020000\nTZOFFSETTO:+1100\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=1SU\nEND:DAYLIGHT\n" +
		"BEGIN:STANDARD\nDTSTART:20080406T030000\nTZOFFSETTO:+1000\nRRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU\nEND:STANDARD\nEND:VTIMEZONE\n"
	india  = "BEGIN:VTIMEZONE\nTZID:Office\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETTO:+0530\nEND:STANDARD\nEND:VTIMEZONE\n"
	moscow = "BEGIN:VTIMEZONE\nTZID:Office\nBEGIN:STANDARD\nDTSTART:20111001T000000\nTZOFFSETTO:+0400\nEND:STANDARD\nBEGIN:STANDARD\nDTSTART:20141026T020000\nTZOFFSETTO:+0300\nEND:STANDARD\n" +
		"BEGIN:DAYLIGHT\nDTSTART:20000326T020000\nTZOFFSETTO:+0400\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3;UNTIL=20100328T000000Z\nEND:DAYLIGHT\nEND:VTIMEZONE\n"
	broken = "BEGIN:VTIMEZONE\nTZID:Office\nBEGIN:STANDARD\nDTSTART:x\nTZOFFSETTO:+9900\nRRULE:FREQ=YEARLY;BYDAY=9XX;BYMONTH=77\nEND:STANDARD\nEND:VTIMEZONE\n"
)

func TestZones(t *testing.T) {
	const ber = "(UTC+01:00) Amsterdam, Berlin, Bern, Rom"
	for _, tt := range []struct{ defined, id, at, want string }{
		{berlin, ber, "20260115T100000", "2026-01-15T10:00:00+01:00"}, {berlin, ber, "20260715T100000", "2026-07-15T10:00:00+02:00"},
		{berlin, ber, "20260329T010000", "2026-03-29T01:00:00+01:00"}, {berlin, ber, "20260329T030000", "2026-03-29T03:00:00+02:00"},
		{berlin, ber, "20261025T010000", "2026-10-25T01:00:00+02:00"}, {berlin, ber, "20261025T040000", "2026-10-25T04:00:00+01:00"},
		{berlin, ber, "20260115T100000Z", "2026-01-15T10:00:00Z"},
		{sydney, "Our Sydney", "20260115T100000", "2026-01-15T10:00:00+11:00"}, {sydney, "Our Sydney", "20260715T100000", "2026-07-15T10:00:00+10:00"},
		{india, "Office", "20260115T100000", "2026-01-15T04:30:00Z"},
		{moscow, "Office", "20120715T100000", "2012-07-15T10:00:00+04:00"}, {moscow, "Office", "20260715T100000", "2026-07-15T10:00:00+03:00"},
		{"", "UTC+2", "20260715T100000", "2026-07-15T10:00:00+02:00"}, {"", "gmt-03:30", "20260715T100000", "2026-07-15T13:30:00Z"}, {"", "UTC-0500", "20260715T100000", "2026-07-15T10:00:00-05:00"}, {"", "GMT+00", "20260715T100000", "2026-07-15T10:00:00Z"},
		{"", "UTC+99", "20260715T100000", "2026-07-15T10:00:00"}, {broken, "Nobody's", "20260715T100000", "2026-07-15T10:00:00"}, {broken, "Office", "20260715T100000", "2026-07-15T10:00:00"},
	} {
		event := "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=\"" + tt.id + "\":" + tt.at + "\nEND:VEVENT\n"
		for _, in := range []string{tt.defined + event, event + tt.defined} {
			got, unknown := Read("BEGIN:VCALENDAR\n"+in+"END:VCALENDAR\n", "REQUEST")
			if len(got) != 1 || got[0].Start != tt.want || (unknown == "") != (strings.ContainsAny(tt.want[10:], "Z+") || strings.Count(tt.want, "-") == 3) {
				t.Errorf("%s in %q: %+v (unknown %q), want %s", tt.at, tt.id, got, unknown, tt.want)
			}
		}
	}
}

// TestZonesAsIANA: what a definition says is what Go's own zone says, for every day
// of some years.
func TestZonesAsIANA(t *testing.T) {
	for text, name := range map[string]string{berlin: "Europe/Berlin", sydney: "Australia/Sydney"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		z := zonesOf(text)
		for id := range z {
			for day := time.Date(2019, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() < 2033; day = day.AddDate(0, 0, 1) {
				_, want := time.Date(day.Year(), day.Month(), day.Day(), 12, 0, 0, 0, zone).Zone()
				if got, ok := z.at(id, day); !ok || got != time.Duration(want)*time.Second {
					t.Fatalf("%s on %v: %v, want %ds", name, day, got, want)
				}
			}
		}
	}
}
