package date

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"postern/gateway/mail/header"
	"postern/gateway/text"
)

// Parse reads the value of a Date field, decoded and unfolded. The defect says in
// words what was wrong with it: with the zero time it can't be read, else the
// moment was guessed. An empty value is the zero time, and no defect.
func Parse(s string) (t time.Time, defect string) {
	if s = strings.TrimSpace(s); s == "" {
		return time.Time{}, ""
	}
	for _, layout := range [...]string{"Mon, 2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 -0700"} { // nearly all mail
		if t, err := time.Parse(layout, s); err == nil && saneOffset(s[len(s)-5:]) && t.Year() >= firstYear && (s[0] <= '9' || s[:3] == t.Weekday().String()[:3]) {
			return t, ""
		}
	}
	d := readDate(s)
	t, ok := d.time()
	switch {
	case d.ambiguous:
		return time.Time{}, fmt.Sprintf("ambiguous Date %q: its day and month may stand either way round", text.Shorten(s, 60))
	case !ok:
		return t, fmt.Sprintf("unreadable Date %q", text.Shorten(s, 60))
	case d.odd != "":
		return time.Time{}, fmt.Sprintf("the zone %q of the Date isn't understood", text.Shorten(d.odd, 20))
	case d.zone == nil:
		defect = "the Date has no zone and is read as UTC"
	}
	if d.weekday != "" && d.weekday != t.Weekday().String()[:3] {
		defect = strings.TrimPrefix(defect+fmt.Sprintf("; the Date says %s, its day is a %s", d.weekday, t.Weekday()), "; ")
	}
	return t, defect
}

// firstYear is older than any mail: a year before it is a sender's fault.
const firstYear = 1900

// saneOffset says whether somebody lives in the zone.
func saneOffset(s string) bool {
	_, ok := offsetSeconds(s)
	return ok
}

// maxOffset is more than any zone's distance from UTC, in seconds.
const maxOffset = 15 * 60 * 60

// dateParts is a date while its words are looked at.
type dateParts struct {
	year, month, day int // 0: not seen
	clock            time.Duration
	timed            bool
	zone             *time.Location
	numeric          bool   // the zone is an offset: further words about it are only its name
	odd              string // a word where the zone should be, which is none
	bad              bool
	ambiguous        bool   // the day and the month may change places
	weekday          string // Mon … Sun, "" not seen
	perhaps          bool   // the month was the first word, and may be a weekday: "mar." is both
}

// time is the moment, false when the parts make none.
func (d *dateParts) time() (time.Time, bool) {
	if d.bad || d.year < firstYear || d.month == 0 || d.day == 0 || d.day > daysIn(d.year, d.month) {
		return time.Time{}, false
	}
	zone := d.zone
	if zone == nil {
		zone = time.UTC
	}
	return time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, zone).Add(d.clock), true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// readDate takes a date apart word by word, in whatever order they stand.
func readDate(s string) *dateParts {
	d := &dateParts{}
	var comment string
	said := countDigits(s)
	if i := strings.IndexByte(s, '('); i >= 0 {
		comment, _, _ = strings.Cut(s[i+1:], ")")
		s = string(header.StripComments([]byte(s)))
	}
	words := strings.Fields(strings.NewReplacer(",", " ", "\u00a0", " ", `"`, " ", ":", " : ").Replace(s))
	for i, w := range strings.Fields(strings.ReplaceAll(strings.Join(words, " "), " : ", ":")) { // blanks around colons: RFC 5322 4.3
		d.word(w, i)
	}
	if d.timed && d.zone == nil && d.odd == "" && comment != "" {
		d.zone = zoneNamed(strings.TrimSpace(comment))
	}
	if !d.timed && countDigits(s) != said { // the time may be in a comment: it isn't midnight
		d.bad = true
	}
	return d
}

// countDigits counts the digits, of any script.
func countDigits(s string) (n int) {
	for _, r := range s {
		if unicode.IsNumber(r) {
			n++
		}
	}
	return n
}

// word takes the i-th word.
func (d *dateParts) word(w string, i int) {
	if date, clock, ok := strings.Cut(w, "T"); ok && len(date) == 10 && date[4] == '-' { // RFC 3339
		d.word(date, i)
		d.word(clock, i)
		return
	}
	switch {
	case d.takeWeekday(w):
	case !d.timed && d.takeClock(w):
	case d.timed && d.takeZone(w):
	case d.takeDate(w):
	default:
		d.takeName(w, i)
	}
}

// takeClock reads 10:00, 10:00:60, 10.00.00, 3:04PM, 10:00:00+0100.
func (d *dateParts) takeClock(w string) bool {
	sep := ":"
	if !strings.Contains(w, ":") {
		if sep = "."; strings.Count(w, ".") != 2 || len(w) != 8 || d.day == 0 {
			return false
		}
	}
	end := strings.IndexFunc(w, func(r rune) bool { return (r < '0' || r > '9') && r != ':' && r != '.' })
	if end < 0 {
		end = len(w)
	}
	parts := strings.Split(strings.TrimRight(w[:end], ".:"), sep)
	if len(parts) < 2 || len(parts) > 3 {
		return false
	}
	limits := [...]int{24, 59, 60}
	units := [...]time.Duration{time.Hour, time.Minute, time.Second}
	for i, p := range parts {
		p, _, _ = strings.Cut(p, ".") // of a second
		n, err := strconv.Atoi(p)
		if err != nil || len(p) > 2 {
			return false
		}
		d.bad = d.bad || n > limits[i]
		d.clock += time.Duration(n) * units[i]
	}
	d.timed = true
	d.bad = d.bad || d.clock > 24*time.Hour
	if rest := w[end:]; rest != "" {
		d.word(rest, 1)
	}
	return true
}

// takeZone reads +0100, -5:00, GMT+1, EST and AM or PM.
func (d *dateParts) takeZone(w string) bool {
	name, offset := w, ""
	if i := strings.IndexAny(w, "+-"); i >= 0 {
		name, offset = w[:i], w[i:]
	}
	switch strings.ToUpper(strings.ReplaceAll(name, ".", "")) {
	case "AM", "PM":
		d.halfDay(strings.ToUpper(name)[0] == 'P')
		return true
	}
	if w == "0000" && d.year != 0 && d.zone == nil { // its sign is missing, and means nothing
		d.zone, d.numeric = time.UTC, true
		return true
	}
	if d.numeric { // what follows an offset is its name
		d.bad = d.bad || d.year != 0 && countDigits(w) == utf8.RuneCountInString(w)
		return d.year != 0
	}
	if offset == "" || name != "" && zoneNamed(name) != time.UTC {
		return false
	}
	if seconds, ok := offsetSeconds(offset); ok {
		d.zone, d.odd, d.numeric = time.FixedZone("", seconds), "", true
	} else {
		d.odd = w
	}
	return true
}

func (d *dateParts) halfDay(afternoon bool) {
	noon := d.clock >= 12*time.Hour && d.clock < 13*time.Hour
	switch {
	case afternoon && d.clock < 12*time.Hour:
		d.clock += 12 * time.Hour
	case !afternoon && noon:
		d.clock -= 12 * time.Hour
	}
}

// offsetSeconds reads +0100, +01:00, +1 and +01.
func offsetSeconds(s string) (int, bool) {
	digits := strings.Replace(s[1:], ":", "", 1)
	n, err := strconv.Atoi(digits)
	if err != nil || len(digits) > 4 {
		return 0, false
	}
	if len(digits) <= 2 {
		n *= 100
	}
	seconds := n/100*3600 + n%100*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, n%100 < 60 && seconds <= maxOffset && seconds >= -maxOffset
}

// takeWeekday reads an English weekday; those of other languages are passed over.
func (d *dateParts) takeWeekday(w string) bool {
	w = strings.TrimRight(w, ".")
	for day := range time.Saturday + 1 {
		if name := day.String(); strings.EqualFold(w, name) || strings.EqualFold(w, name[:3]) {
			d.weekday = name[:3]
			return true
		}
	}
	return false
}

// takeName reads a word: a month, a zone, a weekday in any language.
func (d *dateParts) takeName(w string, i int) {
	if m := monthNamed(w); m != 0 && (d.month == 0 || d.perhaps) {
		d.month, d.perhaps = m, i == 0
		return
	}
	if !d.timed { // a weekday, "de", "at"; with digits what may well be the time
		d.bad = d.bad || countDigits(w) > 0
		return
	}
	if d.numeric {
		return
	}
	if z := zoneNamed(w); z != nil {
		d.zone = z
	} else if countDigits(w) == utf8.RuneCountInString(w) { // of the time, or of nobody knows what
		d.bad = true
	} else if d.zone == nil && d.odd == "" {
		d.odd = w
	}
}
