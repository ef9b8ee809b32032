package calendar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of the zones that a calendar defines itself.
const (
	maxZones       = 50
	maxObservances = 50 // of one zone
)

// observance is a time that a zone keeps from some day on, in each year or once
// (RFC 5545, 3.6.5): winter or summer time.
type observance struct {
	start  time.Time // when it began first, in the zone's own time
	offset time.Duration
	told   bool         // the offset is known
	month  time.Month   // it begins in each year on the week-th day of this month; 0: once
	day    time.Weekday //
	week   int          // 1 is the month's first, -1 its last
	until  int          // the last year; 0: none
}

// zones are those that a calendar defines, by TZID.
type zones map[string][]observance

// zonesOf reads a calendar's VTIMEZONEs, which may stand behind what names them.
func zonesOf(text string) zones {
	if !strings.Contains(strings.ToUpper(text), "VTIMEZONE") {
		return nil
	}
	z := zones{}
	id, open, n := "", false, 0
	var o observance
	for line := range unfolded(text) {
		if n++; n > maxLines {
			break
		}
		name, _, value, ok := split(line)
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch what := strings.ToUpper(value); {
		case name == "BEGIN" && what == "VTIMEZONE":
			id = ""
		case name == "TZID" && id == "" && len(z) < maxZones:
			id = value
		case name == "BEGIN" && (what == "STANDARD" || what == "DAYLIGHT"):
			o, open = observance{}, true
		case name == "END" && (what == "STANDARD" || what == "DAYLIGHT"):
			if open && o.told && id != "" && len(z[id]) < maxObservances {
				z[id] = append(z[id], o)
			}
			open = false
		case open:
			o.set(name, what)
		}
	}
	return z
}

// set takes a property of an observance.
func (o *observance) set(name, value string) {
	switch name {
	case "DTSTART":
		o.start, _ = time.Parse("20060102T150405", strings.TrimSuffix(value, "Z"))
	case "TZOFFSETTO":
		o.offset, o.told = offset(value)
	case "RRULE":
		for rule := range strings.SplitSeq(value, ";") {
			switch key, v, _ := strings.Cut(rule, "="); key {
			case "BYMONTH":
				if m, err := strconv.Atoi(v); err == nil && m >= 1 && m <= 12 {
					o.month = time.Month(m)
				}
			case "BYDAY":
				o.week, o.day = weekday(v)
			case "UNTIL":
				o.until, _ = strconv.Atoi(v[:min(4, len(v))])
			}
		}
	}
}

// weekday reads "-1SU" and "2SU"; a day without a number is the month's first.
func weekday(v string) (week int, day time.Weekday) {
	if len(v) < 2 {
		return 0, 0
	}
	i := slices.Index([]string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}, v[len(v)-2:])
	week, err := strconv.Atoi(strings.TrimPrefix(v[:len(v)-2], "+"))
	switch {
	case i < 0:
		return 0, 0
	case v == v[len(v)-2:]:
		week = 1
	case err != nil || week < -5 || week > 5:
		week = 0
	}
	return week, time.Weekday(i)
}

// began says when the observance last began at or before t; the zero time for
// never.
func (o *observance) began(t time.Time) time.Time {
	if t.Before(o.start) {
		return time.Time{}
	}
	if o.month == 0 || o.week == 0 {
		return o.start
	}
	for year := t.Year(); year >= t.Year()-1; year-- {
		on := o.in(year)
		if o.until != 0 && year > o.until {
			on = o.in(o.until)
		}
		if !on.After(t) && !on.Before(o.start.AddDate(0, 0, -7)) {
			return on
		}
	}
	return o.start
}

// in is when the observance begins in a year.
func (o *observance) in(year int) time.Time {
	clock := o.start.Sub(o.start.Truncate(24 * time.Hour))
	first := time.Date(year, o.month, 1, 0, 0, 0, 0, time.UTC)
	if o.week > 0 {
		days := (int(o.day-first.Weekday())+7)%7 + 7*(o.week-1)
		return first.AddDate(0, 0, days).Add(clock)
	}
	last := first.AddDate(0, 1, -1)
	days := (int(last.Weekday()-o.day)+7)%7 + 7*(-o.week-1)
	return last.AddDate(0, 0, -days).Add(clock)
}

// at is a zone's distance from UTC at a local time; false where the zone isn't
// defined.
func (z zones) at(id string, local time.Time) (time.Duration, bool) {
	all := z[id]
	if len(all) == 0 {
		return 0, false
	}
	now, latest := &all[0], time.Time{}
	for i := range all {
		if on := all[i].began(local); on.After(latest) {
			now, latest = &all[i], on
		}
	}
	return now.offset, true
}

// offset reads +0100, -0530 and +013000.
func offset(v string) (time.Duration, bool) {
	v = strings.ReplaceAll(v, ":", "")
	if len(v) < 5 || v[0] != '+' && v[0] != '-' {
		return 0, false
	}
	h, err1 := strconv.Atoi(v[1:3])
	m, err2 := strconv.Atoi(v[3:5])
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if v[0] == '-' {
		d = -d
	}
	return d, err1 == nil && err2 == nil && h <= 14 && m < 60
}

// fixed is the distance from UTC of a zone whose name is one: UTC+2, GMT-03:30.
func fixed(id string) (time.Duration, bool) {
	v, ok := strings.CutPrefix(strings.ToUpper(strings.TrimSpace(id)), "UTC")
	if !ok {
		v, ok = strings.CutPrefix(v, "GMT")
	}
	if v = strings.ReplaceAll(v, ":", ""); !ok || len(v) < 2 {
		return 0, false
	}
	switch len(v) {
	case 2: // +2
		v = v[:1] + "0" + v[1:] + "00"
	case 3: // +02
		v += "00"
	case 4: // +230
		v = v[:1] + "0" + v[1:]
	}
	return offset(v)
}

// namedZone writes a time of a zone that has no name of its own so that every
// reader knows it: in a zone of whole hours, else in UTC.
func namedZone(value string, off time.Duration) (id, utc string) {
	if off%time.Hour == 0 && off >= -12*time.Hour && off <= 14*time.Hour {
		return fmt.Sprintf("Etc/GMT%+d", -int(off/time.Hour)), value
	}
	t, err := time.Parse("20060102T150405", value)
	if err != nil {
		return "", value
	}
	return "", t.Add(-off).Format("20060102T150405Z")
}
