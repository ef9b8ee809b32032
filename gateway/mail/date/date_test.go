package date

import (
	"strings"
	"testing"
	"time"
)

// TestDates: what mailers send, and the moment it means; "" for what nobody can
// read, which is told.
func TestDates(t *testing.T) {
	const day = "2026-11-24T10:00:00"
	for in, want := range map[string]string{
		"Tue, 24 Nov 2026 10:00:00 +0000": day + "Z", "24 Nov 2026 10:00 +0100": day + "+01:00", "Tue, 24 Nov 2026 10:00:00 GMT": day + "Z",
		"Tue, 24 Nov 2026 10:00:00 +0300 (MSK)": day + "+03:00", "Tue, 24 Nov 2026 10:00:00 GMT+0300": day + "+03:00", "Tue, 24 Nov 2026 10:00:00 UTC+1": day + "+01:00",
		"Tuesday, 24 Nov 2026 10:00:00 +0000": day + "Z", "2026-11-24T10:00:00Z": day + "Z", "2026-11-24T10:00:00.123+02:00": day + "+02:00", "2026-11-24 10:00:00 -0500": day + "-05:00",
		"Tue, 24 Nov 26 10:00:00 +0000": day + "Z", "Tue, 24 Nov 126 10:00:00 +0000": day + "Z", "Tue, 24 Nov 2026 10:00:00 +0000 (x) yy": day + "Z",
		"24 Nov 2026 10:00:00 EST": day + "-05:00", "Tue, 24 Nov 2026 10:00:00 EDT": day + "-04:00", "Tue, 24 Nov 2026 10:00:00 CST": day + "-06:00", "Tue, 24 Nov 2026 10:00:00 CDT": day + "-05:00",
		"Tue, 24 Nov 2026 10:00:00 MST": day + "-07:00", "Tue, 24 Nov 2026 10:00:00 MDT": day + "-06:00", "Tue, 24 Nov 2026 10:00:00 PST": day + "-08:00", "Tue, 24 Nov 2026 10:00:00 PDT": day + "-07:00",
		"Tue, 24 Nov 2026 10:00:00 CET": day + "+01:00", "Tue, 24 Nov 2026 10:00:00 CEST": day + "+02:00", "Tue, 24 Nov 2026 10:00:00 MSK": day + "+03:00", "Tue, 24 Nov 2026 10:00:00 JST": day + "+09:00",
		"Tue, 24 Nov 2026 10:00:00 BST": day + "+01:00", "Tue, 24 Nov 2026 10:00:00 AEDT": day + "+11:00", "Tue, 24 Nov 2026 10:00:00 UT": day + "Z", "Tue, 24 Nov 2026 10:00:00 +01:00": day + "+01:00",
		"Tue, 24 Nov 2026 10:00:00 -0000": day + "Z", "Tue, 24 Nov 2026 10:00:00 \"EST\"": day + "-05:00", "Tue, 24 Nov 2026 10:00:00 (PST)": day + "-08:00", "Tue, 24 Nov 2026 10:00:00 EST -0500": day + "-05:00", "Tue, 24 Nov 2026 10:00:00 -0500 EST": day + "-05:00",
		"Tue, 24 Nov 2026 10:00:00 +0100 W. Europe Standard Time": day + "+01:00", "Tue,24 Nov 2026 10:00:00+0100": day + "+01:00", "Tue, 24 Nov 2026 10.00.00 +0100": day + "+01:00",
		"Tue, 24 Nov 2026 09:59:60 +0000": day + "Z", "Di, 24 Nov 2026 10:00:00 +0100": day + "+01:00", "mar., 24 nov. 2026 10:00:00 +0100": day + "+01:00", "вт, 24 ноя 2026 10:00:00 +0300": day + "+03:00",
		"Dienstag, 24. November 2026 10:00:00 +0100": day + "+01:00", "火, 24 Nov 2026 10:00:00 +0900": day + "+09:00", "mardi 24 novembre 2026 10:00:00 +0100": day + "+01:00",
		"martes, 24 de noviembre de 2026 10:00:00 -0300": day + "-03:00", "24-Nov-2026 10:00:00 +0000": day + "Z", "24.11.2026 10:00:00 +0100": day + "+01:00", "11/24/2026 10:00:00 AM -0500": day + "-05:00",
		"Tue Nov 24 10:00:00 EST 2026": day + "-05:00", "Tue Nov 24 10:00:00 +0100 2026": day + "+01:00", "Nov 24, 2026 10:00:00 AM -0800": day + "-08:00", "Tue, 24 Nov 2026 10:00AM +0000": day + "Z",
		"Tue, 24 Nov 2026 10:00:00 Z": day + "Z", "Tue, 24 Nov 2026 10:00:00": day + "Z no zone", "Tue Nov 24 10:00:00 2026": day + "Z no zone", "2026-11-24 10:00:00": day + "Z no zone",
		"Tue, 24 Nov 2026 10(comment): 00 : 00 +0100": day + "+01:00", "Tue, 24 Nov 2026 10h00 +0100": "", "Tue, 24 Nov 2026 10:00:00 0000": day + "Z", "Tue, 24 Nov 2026 10:00:00 0100": "", "24 Nov 2026": "2026-11-24T00:00:00Z no zone",

		"Tue, 24 Nov 2026 10:00:00 XYZ": "", "Tue, 24 Nov 2026 10:00:00 IST": "", "Tue, 24 Nov 2026 10:00:00 EST5EDT": "", "Tue, 24 Nov 2026 10:00:00 +9999": "", "Tue, 24 Nov 2026 10:00:00 +2500": "",
		"Tue, 24 Nov 2026 10:00:00 A": "", "Tue, 24 Nov 2026 10:00:00 Eastern": "", "Tue, 24 Nov 2026 10:00:00 GMT+99": "", "Tue, 24 Nov 2026 10:00:00 +0160": "", "Tue, 31 Feb 2026 10:00:00 +0000": "",
		"Tue, 24 Nov 2026 25:00:00 +0000": "", "Tue, 24 Nov 2026 10:61:00 +0000": "", "yesterday": "", "24 Nov": "", "1 1 1 1 1 1": "", "10:00:00 +0000": "",

		"Tue, 24 Nov 2026 10 : 00 : 00 +0000": day + "Z", "Tue, 24 Nov 2026 10 (a) : (b (c)) 00 :(d) 00 (e) +0000 (f)": day + "Z", "(a) Tue (b), (c) 24 (d) Nov (e) 2026 (f) 10:00 +0100": day + "+01:00",
		"Tue, 24 Nov 2026 1000 +0100": "", "Tue, 24 Nov 2026 10 +0100": "", "Tue, 24 Nov 2026 10 00 00 +0100": "", "Tue, 24 Nov 2026 10-00-00": "", "Tue, 24 Nov 2026 １０:００": "", "Tue, 24 Nov 2026 １０：００": "", "Tue, 24 Nov 2026 ١٠:٠٠": "",
		"Tue, 24 Nov 2026 (10:00:00)": "", "Tue, 24 Nov 2026 (10:00:00 +0100": "", "Tue, 24 Nov 2026 10: :00": "", "Tue, 24 Nov 2026 24:30:00 +0000": "", "Nov 24 10:00 00 +0000 2026": "", "Tue, 24 Nov 2026 10:00 00 +0000": "",
		"05/01/2026 10:00:00 +0100": "", "05-01-2026 10:00:00 +0100": "", "13/05/2026 10:00:00 +0100": "2026-05-13T10:00:00+01:00", "05/13/2026 10:00:00 +0100": "2026-05-13T10:00:00+01:00", "05/05/2026 10:00:00 +0100": "2026-05-05T10:00:00+01:00",
		"05.01.2026 10:00:00 +0100": "2026-01-05T10:00:00+01:00", "26/01/05 10:00:00 +0100": "", "1/24/26 10:00 AM +0000": "2026-01-24T10:00:00Z", "24-Nov-26 10:00:00 +0000": day + "Z", "13/13/2026 10:00:00 +0100": "",
		"Tue, 24 Nov 0026 10:00:00 +0000": "", "24 Nov 1026 10:00:00 +0000": "", "0026-11-24T10:00:00Z": "",
	} {
		date, told := Parse(in)
		got := ""
		if !date.IsZero() {
			got = date.Format(time.RFC3339)
		}
		if strings.Contains(told, "no zone") {
			got += " no zone"
		}
		if got != want || (want == "") != (told != "" && !strings.Contains(told, "no zone")) {
			t.Errorf("%q is %q (%s), want %q", in, got, told, want)
		}
	}
}

// TestWeekday: the date stands, and a weekday that contradicts it is told.
func TestWeekday(t *testing.T) {
	for in, want := range map[string]bool{
		"Mon, 24 Nov 2026 10:00:00 +0000": true, "Monday, 24 Nov 2026 10:00:00 +0000": true, "mon 24 Nov 2026 10:00:00 +0000": true, "Mon Nov 24 10:00:00 2026": true,
		"Tue, 24 Nov 2026 10:00:00 +0000": false, "TUESDAY, 24 Nov 2026 10:00:00 +0000": false, "24 Nov 2026 10:00:00 +0000": false, "Di, 24 Nov 2026 10:00:00 +0000": false,
	} {
		date, told := Parse(in)
		if strings.Contains(told, "its day is a Tuesday") != want || !date.Equal(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)) {
			t.Errorf("%q is %v (%s)", in, date, told)
		}
	}
}

func FuzzDate(f *testing.F) {
	f.Add("Tue, 24 Nov 2026 10:00:00 EST")
	f.Add("2026-11-24T10.00.00PM+1 (x)")
	f.Fuzz(func(t *testing.T, s string) {
		d, _ := Parse(s)
		if _, err := d.MarshalJSON(); err != nil && !d.IsZero() {
			t.Errorf("%q is %v, which is no date of JSON: %v", s, d, err)
		}
	})
}
