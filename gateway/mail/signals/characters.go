package signals

import (
	"fmt"
	"unicode"

	"postern/gateway/text"
)

// Bounds of invisible characters that mean nothing: padding behind a preheader,
// words that must not break or become links.
const (
	secretRun    = 16 // characters without width in a row
	secretPeriod = 4  // those of a padding repeat
	brokenWords  = 10 // words with a character without width inside
)

// characters looks for what hides in a text's characters.
func (s *list) characters(where, said string) {
	if text.IsASCII(said) {
		return
	}
	c := charScan{}
	for _, r := range said {
		c.take(r)
	}
	c.endRun()
	switch {
	case c.tags > 0:
		s.add(InvisibleCharacters, fmt.Sprintf("%s: %d Unicode tags: %s", where, c.tags, excerpt(c.said)))
	case c.longest > 0:
		s.add(InvisibleCharacters, fmt.Sprintf("%s: %d characters without width in a row", where, c.longest))
	case c.broken >= brokenWords:
		s.add(InvisibleCharacters, fmt.Sprintf("%s: %d words have a character without width inside", where, c.broken))
	}
	if c.override != 0 {
		s.add(BidiOverride, fmt.Sprintf("%s: U+%04X", where, c.override))
	}
}

// charScan goes through a text's characters.
type charScan struct {
	tags     int
	said     string // what the tags spell
	flag     bool   // tags that follow are a flag's
	run      []rune // without width
	longest  int    // run that tells something
	broken   int
	last     rune // before the run
	override rune
}

func (c *charScan) take(r rune) {
	switch {
	case r >= 0xe0000 && r <= 0xe007f:
		if !c.flag {
			c.tags++
			if r > 0xe0020 && len(c.said) < 200 {
				c.said += string(r - 0xe0000)
			}
		}
		return
	case isWidthless(r):
		if len(c.run) < 4096 {
			c.run = append(c.run, r)
		}
		return
	case r == 0x202d || r == 0x202e:
		c.override = r
	}
	if len(c.run) > 0 {
		if isLatin(c.last) && isLatin(r) {
			c.broken++
		}
		c.endRun()
	}
	c.flag = r == 0x1f3f4
	c.last = r
}

func isLatin(r rune) bool { return r < 0x250 && unicode.IsLetter(r) }

// isWidthless knows characters that take no room; soft hyphens are normal.
func isWidthless(r rune) bool {
	return r >= 0x200b && r <= 0x200d || r >= 0x2060 && r <= 0x2064 || r == 0xfeff || r == 0x34f || r == 0x180e ||
		r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef
}

// endRun judges a row of characters without width: one that repeats is padding.
func (c *charScan) endRun() {
	if len(c.run) >= secretRun {
		for period := 1; period <= secretPeriod; period++ {
			if repeats(c.run, period) {
				c.run = c.run[:0]
				return
			}
		}
		c.longest = max(c.longest, len(c.run))
	}
	c.run = c.run[:0]
}

func repeats(run []rune, period int) bool {
	for i := period; i < len(run); i++ {
		if run[i] != run[i-period] {
			return false
		}
	}
	return true
}
