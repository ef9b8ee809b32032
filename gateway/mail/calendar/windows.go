package calendar

// windowsZone is the IANA zone of a time zone of Windows, which Outlook and
// Exchange write as TZID (CLDR's windowsZones); "" for no such name.
func windowsZone(name string) string {
	switch name {
	case "UTC", "GMT", "Coordinated Universal Time":
		return "UTC"
	case "GMT Standard Time":
		return "Europe/London"
	case "Greenwich Standard Time":
		return "Atlantic/Reykjavik"
	case "W. Europe Standard Time":
		return "Europe/Berlin"
	case "Central Europe Standard Time":
		return "Europe/Budapest"
	case "Romance Standard Time":
		return "Europe/Paris"
	case "Central European Standard Time":
		return "Europe/Warsaw"
	case "W. Central Africa Standard Time":
		return "Africa/Lagos"
	case "GTB Standard Time":
		return "Europe/Bucharest"
	case "E. Europe Standard Time":
		return "Europe/Chisinau"
	case "FLE Standard Time":
		return "Europe/Kiev"
	case "Egypt Standard Time":
		return "Africa/Cairo"
	case "South Africa Standard Time":
		return "Africa/Johannesburg"
	case "Israel Standard Time":
		return "Asia/Jerusalem"
	case "Turkey Standard Time":
		return "Europe/Istanbul"
	case "Russian Standard Time":
		return "Europe/Moscow"
	case "Arab Standard Time":
		return "Asia/Riyadh"
	case "Arabian Standard Time":
		return "Asia/Dubai"
	case "E. Africa Standard Time":
		return "Africa/Nairobi"
	case "Iran Standard Time":
		return "Asia/Tehran"
	case "Pakistan Standard Time":
		return "Asia/Karachi"
	case "India Standard Time":
		return "Asia/Kolkata"
	case "Bangladesh Standard Time":
		return "Asia/Dhaka"
	case "SE Asia Standard Time":
		return "Asia/Bangkok"
	case "China Standard Time":
		return "Asia/Shanghai"
	case "Singapore Standard Time":
		return "Asia/Singapore"
	case "Taipei Standard Time":
		return "Asia/Taipei"
	case "W. Australia Standard Time":
		return "Australia/Perth"
	case "Tokyo Standard Time":
		return "Asia/Tokyo"
	case "Korea Standard Time":
		return "Asia/Seoul"
	case "AUS Central Standard Time":
		return "Australia/Darwin"
	case "Cen. Australia Standard Time":
		return "Australia/Adelaide"
	case "AUS Eastern Standard Time":
		return "Australia/Sydney"
	case "E. Australia Standard Time":
		return "Australia/Brisbane"
	case "Tasmania Standard Time":
		return "Australia/Hobart"
	case "New Zealand Standard Time":
		return "Pacific/Auckland"
	case "E. South America Standard Time":
		return "America/Sao_Paulo"
	case "Argentina Standard Time":
		return "America/Buenos_Aires"
	case "Pacific SA Standard Time":
		return "America/Santiago"
	case "Newfoundland Standard Time":
		return "America/St_Johns"
	case "Atlantic Standard Time":
		return "America/Halifax"
	case "SA Western Standard Time":
		return "America/La_Paz"
	case "SA Pacific Standard Time":
		return "America/Bogota"
	case "Eastern Standard Time":
		return "America/New_York"
	case "US Eastern Standard Time":
		return "America/Indianapolis"
	case "Central Standard Time":
		return "America/Chicago"
	case "Central Standard Time (Mexico)":
		return "America/Mexico_City"
	case "Central America Standard Time":
		return "America/Guatemala"
	case "Canada Central Standard Time":
		return "America/Regina"
	case "Mountain Standard Time":
		return "America/Denver"
	case "US Mountain Standard Time":
		return "America/Phoenix"
	case "Pacific Standard Time":
		return "America/Los_Angeles"
	case "Alaskan Standard Time":
		return "America/Anchorage"
	case "Hawaiian Standard Time":
		return "Pacific/Honolulu"
	}
	return ""
}
