package reply

// Standard is what a code alone says: the reply for who has neither an
// enhanced code nor words of his own. Any other code says its class's.
func Standard(code int) Reply {
	s, ok := standard[code]
	if !ok {
		s = standard[code/100*100]
	}
	r := Reply{Code: code, Enhanced: s.enhanced}
	if s.text != "" {
		r.Lines = []string{s.text}
	}
	return r
}

// standard is never changed; 200, 400 and 500 stand for their class.
var standard = map[int]struct {
	enhanced Enhanced
	text     string
}{
	200: {Enhanced{2, 0, 0}, "OK"},
	221: {Enhanced{2, 0, 0}, "Bye"},
	251: {Enhanced{2, 1, 5}, "User not local; will forward"},
	252: {Enhanced{2, 1, 5}, "Cannot verify the user, but will take mail for it"},
	300: {Enhanced{}, "Go on"},
	354: {Enhanced{}, "End data with <CR><LF>.<CR><LF>"},
	400: {Enhanced{4, 3, 0}, "Not now, please try again later"},
	421: {Enhanced{4, 3, 2}, "Service not available, closing the connection"},
	450: {Enhanced{4, 2, 0}, "Not now, please try again later"},
	451: {Enhanced{4, 3, 0}, "Not now, please try again later"},
	452: {Enhanced{4, 3, 1}, "Not now, please try again later"},
	500: {Enhanced{5, 0, 0}, "Refused"},
	550: {Enhanced{5, 7, 1}, "Refused"},
	551: {Enhanced{5, 1, 6}, "User not local; please try the forward path"},
	552: {Enhanced{5, 3, 4}, "Too large"},
	553: {Enhanced{5, 1, 3}, "Address not allowed"},
	554: {Enhanced{5, 7, 1}, "Transaction failed"},
}
