package calendar

import (
	"bytes"
	"strings"
	"time"
)

// Bounds of what is taken from a calendar.
const (
	maxEvents = 100
	maxLines  = 20_000
	maxValue  = 2000 // octets
	maxParam  = 200
)

// rewriter takes a calendar apart and writes what is wanted of it anew, in a form
// that every reader takes: only events and tasks, only the properties that are
// looked at, quoted parameters, each BEGIN with its END.
//
//	outside --BEGIN:VCALENDAR--> calendar --BEGIN:VEVENT--> event --END--> calendar
//	calendar, event --BEGIN of anything else--> skipping --its END--> back
type rewriter struct {
	out     bytes.Buffer
	event   string // the open event's kind, "" outside of one
	skip    int    // depth of components that nobody wants
	events  int
	unknown string // the first zone that nobody knows
	zones   zones  // that the calendar defines
}

func rewritten(text string) (lines []byte, unknownZone string) {
	w := &rewriter{zones: zonesOf(text)}
	w.out.WriteString("BEGIN:VCALENDAR\r\n")
	n := 0
	for line := range unfolded(text) {
		if n++; n > maxLines {
			break
		}
		if name, params, value, ok := split(line); ok {
			w.line(name, params, value)
		}
	}
	w.end()
	w.out.WriteString("END:VCALENDAR\r\n")
	return w.out.Bytes(), w.unknown
}

// unfolded yields the lines: one that begins with white space goes on with the
// one before.
func unfolded(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		var line []byte
		for l := range strings.Lines(text) {
			l = strings.TrimRight(l, "\r\n")
			if l != "" && (l[0] == ' ' || l[0] == '\t') {
				if len(line) < 2*maxValue {
					line = append(line, l[1:]...)
				}
				continue
			}
			if len(line) > 0 && !yield(string(line)) {
				return
			}
			line = append(line[:0], l...)
		}
		if len(line) > 0 {
			yield(string(line))
		}
	}
}

// split takes a line apart: NAME;PARAM=value;PARAM="value":value
func split(line string) (name string, params []string, value string, ok bool) {
	quoted, start := false, 0
	for i := range len(line) {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ';' || c == ':':
			params = append(params, line[start:i])
			start = i + 1
			if c == ':' {
				return strings.ToUpper(strings.TrimSpace(params[0])), params[1:], line[i+1:], true
			}
		}
	}
	return "", nil, "", false
}

// line takes the next line.
func (w *rewriter) line(name string, params []string, value string) {
	what := strings.ToUpper(strings.TrimSpace(value))
	switch {
	case name == "BEGIN":
		w.begin(what)
	case name == "END":
		if w.skip > 0 {
			w.skip--
		} else if what == w.event {
			w.end()
		}
	case w.skip > 0 || len(value) > maxValue || strings.ContainsRune(value, 0):
	case wanted(name, w.event != ""):
		w.write(name, params, value)
	}
}

func (w *rewriter) begin(what string) {
	switch {
	case what == "VCALENDAR" && w.event == "" && w.skip == 0:
	case (what == "VEVENT" || what == "VTODO") && w.event == "" && w.skip == 0 && w.events < maxEvents:
		w.event = what
		w.events++
		w.out.WriteString("BEGIN:" + what + "\r\n")
	default:
		w.skip++
	}
}

// end closes the open event.
func (w *rewriter) end() {
	if w.event != "" {
		w.out.WriteString("END:" + w.event + "\r\n")
		w.event = ""
	}
}

func wanted(name string, event bool) bool {
	switch name {
	case "UID", "SEQUENCE", "DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "ORGANIZER", "ATTENDEE":
		return event
	}
	return name == "METHOD"
}

func (w *rewriter) write(name string, params []string, value string) {
	value = strings.TrimSpace(value)
	if isTime(name) && isDate(value) { // many leave VALUE=DATE out
		params = []string{"VALUE=DATE"}
	}
	w.out.WriteString(name)
	for _, p := range params {
		key, v, ok := strings.Cut(p, "=")
		key = strings.ToUpper(strings.TrimSpace(key))
		v = strings.Map(func(r rune) rune {
			if r == '"' || r < ' ' {
				return -1
			}
			return r
		}, v)
		if key == "TZID" {
			v, value = w.zone(v, value)
		}
		if ok && v != "" && len(v) <= maxParam && (key == "TZID" || key == "VALUE" || key == "PARTSTAT" || key == "EMAIL") {
			w.out.WriteString(";" + key + `="` + v + `"`)
		}
	}
	w.out.WriteString(":" + strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, value) + "\r\n")
}

func isTime(name string) bool {
	return name == "DTSTART" || name == "DTEND" || name == "DUE" || name == "RECURRENCE-ID"
}

// isDate says whether a value is a day: 20261224.
func isDate(v string) bool {
	return len(v) == len("20060102") && strings.Trim(v, "0123456789") == ""
}

// zone is a TZID that every reader knows, for the time in it, "" for none; the time
// may become one in UTC.
func (w *rewriter) zone(id, value string) (known, at string) {
	if known = zone(id); known != "" || strings.HasSuffix(value, "Z") {
		return known, value
	}
	if off, ok := fixed(id); ok {
		return namedZone(value, off)
	}
	if local, err := time.Parse("20060102T150405", value); err == nil {
		if off, ok := w.zones.at(id, local); ok {
			return namedZone(value, off)
		}
	}
	if w.unknown == "" {
		w.unknown = id
	}
	return "", value
}

// zone is the IANA name of a TZID, "" for one that nobody knows: its own name,
// what stands behind a vendor's prefix, or a name of Windows.
func zone(id string) string {
	id = strings.Trim(id, " ")
	if iana := windowsZones[id]; iana != "" {
		return iana
	}
	for name := id; ; {
		if _, err := time.LoadLocation(name); err == nil && name != "" && name != "Local" {
			return name
		}
		i := strings.IndexByte(name, '/') // "/freeassociation.sourceforge.net/Europe/Berlin"
		if i < 0 {
			return ""
		}
		name = name[i+1:]
	}
}
