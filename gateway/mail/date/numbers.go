package date

import (
	"strconv"
	"strings"
)

// takeDate reads 2, 2026, 2026-11-24, 24.11.2026, 11/24/2026, 24-Nov-26.
func (d *dateParts) takeDate(w string) bool {
	w = strings.TrimRight(w, ".")
	if n, err := strconv.Atoi(w); err == nil && w[0] >= '0' {
		return d.takeNumber(n, len(w))
	}
	sep := strings.IndexAny(w, "-./")
	if sep < 0 || d.day != 0 {
		return false
	}
	parts := strings.Split(w, w[sep:sep+1])
	if len(parts) != 3 {
		return false
	}
	d.ambiguous = false
	for _, o := range orders(parts, w[sep]) {
		year, month, day := numbers(parts[o.year], monthNamed(parts[o.month]), parts[o.month], parts[o.day])
		if year == 0 {
			continue
		}
		d.ambiguous = d.ambiguous || d.day != 0 && (d.day != day || d.month != month || d.year != year)
		d.day, d.month, d.year = day, month, year
	}
	return d.day != 0
}

// order says where the parts of a date stand.
type order struct{ year, month, day int }

// orders are the orders that a date may have: a dot or the name of a month has
// the day first everywhere, a slash or a dash with numbers differs by country.
func orders(parts []string, sep byte) []order {
	switch {
	case len(parts[0]) == 4:
		return []order{{0, 1, 2}}
	case sep == '.' || monthNamed(parts[1]) != 0:
		return []order{{2, 1, 0}}
	case len(parts[2]) == 4:
		return []order{{2, 1, 0}, {2, 0, 1}}
	}
	return []order{{2, 1, 0}, {2, 0, 1}, {0, 1, 2}}
}

// numbers are a date's, zeros when they make none.
func numbers(y string, named int, m, d string) (year, month, day int) {
	day, errDay := strconv.Atoi(d)
	n, errYear := strconv.Atoi(y)
	if month = named; month == 0 {
		month, _ = strconv.Atoi(m)
	}
	if year = fullYear(n, len(y)); errDay != nil || errYear != nil || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, 0, 0
	}
	return year, month, day
}

func (d *dateParts) takeNumber(n, digits int) bool {
	switch {
	case digits <= 2 && d.day == 0 && n > 0:
		d.day = n
	case d.year == 0 && digits <= 4:
		d.year = fullYear(n, digits)
	default:
		return false
	}
	return true
}

// fullYear completes a year of two or three digits (RFC 5322 4.3).
func fullYear(n, digits int) int {
	switch {
	case digits > 3:
		return n
	case digits == 3 || n >= 50:
		return n + 1900
	}
	return n + 2000
}
