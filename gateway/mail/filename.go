package mail

import (
	"path"
	"strings"
	"unicode"

	"postern/gateway/text"
)

// maxFilename is what file systems take for a name, in octets.
const maxFilename = 255

// maxExtension is the longest end of a name that stays when the name is cut, in
// octets.
const maxExtension = 32

// safeName makes a file name safe to use as one, and tells when that changed it.
func (p *parser) safeName(name string) string {
	safe := safeFilename(name)
	if safe != strings.TrimSpace(name) {
		p.defect("an attachment's name is made safe: what is no part of a file's name, disguises it or is too long is taken off")
	}
	return safe
}

// safeFilename is a name that every system takes for that of one file in the
// directory where it is used: the base name, whichever slashes are before it,
// without a drive and a stream of Windows, none of its devices, at most 255
// octets; without what shows its end elsewhere (bidirectional overrides) and
// without control characters. "" when nothing is left, as of "..".
func safeFilename(name string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r == '\\':
			return '/'
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x61c, unicode.IsControl(r):
			return -1
		}
		return r
	}, name)
	safe = strings.TrimRight(strings.TrimSpace(safe), "/ ")
	safe = noColon(strings.TrimSpace(safe[strings.LastIndexByte(safe, '/')+1:]))
	return shortName(noDevice(noTail(safe)))
}

// noTail takes off the dots and blanks at the end, which Windows ignores.
func noTail(name string) string {
	return strings.TrimRightFunc(name, func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
}

// noColon takes off drives (C:evil.exe) and streams (x.pdf::$DATA, x.pdf:y); any
// other colon becomes a dash: "Re: offer.pdf" would be a stream, too.
func noColon(name string) string {
	for len(name) > 1 && name[1] == ':' && unicode.IsLetter(rune(name[0])) {
		name = strings.TrimSpace(name[2:])
	}
	for from := 0; ; {
		i := strings.IndexByte(name[from:], ':')
		if i < 0 {
			return strings.ReplaceAll(name, ":", "-")
		}
		if i += from; isStream(name[:i], name[i+1:]) {
			return strings.ReplaceAll(name[:i], ":", "-")
		}
		from = i + 1
	}
}

// isStream says whether what follows a colon names a stream of the file before it.
func isStream(file, rest string) bool {
	if _, kind, _ := strings.Cut(rest, ":"); rest == "" || rest[0] == ':' || strings.HasPrefix(kind, "$") {
		return true
	}
	ext := strings.TrimPrefix(path.Ext(file), ".")
	return rest[0] != ' ' && ext != "" && len(ext) <= 5 && unicode.IsLetter(rune(ext[0])) && !strings.Contains(ext, " ")
}

// noDevice gives the name of a device of Windows, with or without an extension,
// another first character.
func noDevice(name string) string {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimSpace(stem))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return "_" + name
	}
	if port := strings.TrimPrefix(strings.TrimPrefix(stem, "COM"), "LPT"); port != stem && len(stem) > 3 && len([]rune(stem)) == 4 && strings.ContainsAny(port, "0123456789¹²³") {
		return "_" + name
	}
	return name
}

// shortName cuts the stem of a name that is too long.
func shortName(name string) string {
	if len(name) <= maxFilename {
		return name
	}
	ext := path.Ext(name)
	if len(ext) > maxExtension {
		return noTail(text.Clip(name, maxFilename))
	}
	return text.Clip(name, maxFilename-len(ext)) + ext
}
