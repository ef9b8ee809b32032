package date

import (
	"strings"
	"time"
)

// monthNamed is the number of a month by its English name, or by one of the
// languages in which mailers write dates against the rules; 0 for none.
func monthNamed(w string) int {
	w = strings.ToLower(strings.TrimRight(w, "."))
	if len(w) < 3 || w[0] <= '9' {
		return 0
	}
	for i, names := range [...]string{
		"jan januar january janv janvier enero ene gennaio gen januari janeiro styczen янв января", "feb februar february fev fevr févr février febrero febbraio februari fevereiro фев февраля",
		"mar mär mrz märz march mars marzo maart março мар марта", "apr april avr avril abr abril aprile апр апреля", "may mai maj mei mayo maggio mag maio мая май",
		"jun juni june juin junio giugno giu junho июн июня", "jul juli july juil juillet julio luglio lug julho июл июля", "aug august août aout ago agosto augusti augustus авг августа",
		"sep sept september septembre septiembre settembre set setembro сен сентября", "oct okt oktober october octobre octubre ottobre ott out outubro окт октября",
		"nov november novembre noviembre novembro ноя ноября", "dec dez dezember december déc décembre dic diciembre dicembre dezembro дек декабря",
	} {
		for name := range strings.FieldsSeq(names) {
			if name == w {
				return i + 1
			}
		}
	}
	return 0
}

// zoneNamed is a zone by its name, nil for one that means nothing, or one thing
// here and another there (IST). The American ones are RFC 5322's.
func zoneNamed(name string) *time.Location {
	name = strings.ToUpper(name)
	switch name {
	case "GMT", "UTC", "UT", "Z", "UCT", "ZULU":
		return time.UTC
	}
	minutes, ok := zoneMinutes(name)
	if !ok {
		return nil
	}
	return time.FixedZone("", minutes*60)
}

// zoneMinutes is the distance of a zone from UTC.
func zoneMinutes(name string) (int, bool) {
	switch name {
	case "WET":
		return 0, true
	case "CET", "MET", "MEZ", "BST", "WEST", "WAT":
		return 60, true
	case "CEST", "MEST", "MESZ", "EET", "SAST", "CAT":
		return 2 * 60, true
	case "EEST", "MSK", "IDT", "TRT", "EAT":
		return 3 * 60, true
	case "MSD", "SAMT":
		return 4 * 60, true
	case "PKT", "YEKT", "UZT":
		return 5 * 60, true
	case "NPT":
		return 5*60 + 45, true
	case "ICT", "WIB":
		return 7 * 60, true
	case "HKT", "SGT", "AWST", "PHT", "MYT":
		return 8 * 60, true
	case "JST", "KST":
		return 9 * 60, true
	case "ACST":
		return 9*60 + 30, true
	case "AEST":
		return 10 * 60, true
	case "ACDT":
		return 10*60 + 30, true
	case "AEDT":
		return 11 * 60, true
	case "NZST":
		return 12 * 60, true
	case "NZDT":
		return 13 * 60, true
	case "BRST":
		return -2 * 60, true
	case "NDT":
		return -2*60 - 30, true
	case "BRT", "ART", "ADT", "UYT":
		return -3 * 60, true
	case "NST":
		return -3*60 - 30, true
	case "EDT", "AST":
		return -4 * 60, true
	case "EST", "CDT", "PET", "COT":
		return -5 * 60, true
	case "CST", "MDT":
		return -6 * 60, true
	case "MST", "PDT":
		return -7 * 60, true
	case "PST", "AKDT":
		return -8 * 60, true
	case "AKST":
		return -9 * 60, true
	case "HST":
		return -10 * 60, true
	}
	return 0, false
}
