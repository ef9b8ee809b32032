package htmltext

import (
	"bytes"
	"net/url"
	"strings"

	"golang.org/x/net/html/atom"

	"postern/gateway/mail/htmltext/css"
)

// maxTarget bounds the target of a link: a longer one leads nowhere.
const maxTarget = 8 << 10

// link writes what is in a link, and where it leads.
func (r *renderer) link(c int32, n *node) {
	target := linkTarget(string(css.Trim(r.get(n, attrHref))))
	if target == "" || r.bare || r.toldBelow(c, n) {
		r.walk(c)
		return
	}
	if r.markdown {
		r.markdownLink(c, target)
		return
	}
	outer, pictures := r.w.start, r.pictures
	r.w.start = -1
	r.walk(c)
	switch {
	case r.w.start < 0 && r.pictures > pictures:
		r.w.raw("<" + target + ">")
	case r.w.start >= 0 && !sameTarget(string(r.w.out[r.w.start:]), target):
		r.w.tightly(" <" + target + ">")
	}
	if outer >= 0 {
		r.w.start = outer
	}
}

// maxApart is how many nodes lie between an image and the words that lead to the
// same place.
const maxApart = 60

// toldBelow says whether a link has no words, and the next one has some and leads
// to the same place: an article's image above its title.
func (r *renderer) toldBelow(c int32, n *node) bool {
	if r.hasWords(c) {
		return false
	}
	href := r.get(n, attrHref)
	for j := c + 1; j < int32(len(r.nodes)) && j < c+maxApart; j++ {
		if a := &r.nodes[j]; a.tag == atom.A && a.why == Shown && r.hasWords(j) {
			return bytes.Equal(r.get(a, attrHref), href)
		}
	}
	return false
}

// hasWords says whether visible text stands below a node.
func (r *renderer) hasWords(i int32) bool {
	for c := range r.children(i) {
		if n := &r.nodes[c]; n.why == Shown && (n.tag == textTag && len(bytes.TrimSpace(r.text(n))) > 0 || n.tag != textTag && r.hasWords(c)) {
			return true
		}
	}
	return false
}

// linkTarget is what a reader is told of a link: a URL, an address, a number;
// "" for what leads nowhere outside of the mail.
func linkTarget(href string) string {
	if strings.ContainsFunc(href, isControl) {
		href = strings.Map(func(c rune) rune {
			if isControl(c) {
				return -1
			}
			return c
		}, href)
	}
	scheme, rest, ok := strings.Cut(href, ":")
	if !ok || len(href) > maxTarget || strings.ContainsAny(scheme, "/?#") {
		if strings.HasPrefix(href, "//") && len(href) > 2 {
			return escapeTarget("https:" + href)
		}
		return ""
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "ftp", "ftps":
		if strings.Trim(rest, "/") == "" {
			return ""
		}
		return escapeTarget(href)
	case "mailto":
		address, _, _ := strings.Cut(rest, "?")
		if a, err := url.PathUnescape(address); err == nil {
			address = a
		}
		if !strings.Contains(address, "@") {
			return ""
		}
		return escapeTarget(address)
	case "tel", "sms":
		number, _, _ := strings.Cut(rest, "?")
		return escapeTarget(number)
	case "javascript", "vbscript", "data", "cid", "mid", "about", "blob", "file", "x-apple-data-detectors", "webcal":
		return ""
	}
	return escapeTarget(href)
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

var targetEscapes = strings.NewReplacer(" ", "%20", "<", "%3C", ">", "%3E", `"`, "%22", "\u00a0", "%C2%A0")

func escapeTarget(s string) string { return targetEscapes.Replace(strings.TrimSpace(s)) }

// sameTarget says whether a link's words are its target.
func sameTarget(words, target string) bool {
	w, t := bareTarget(words), bareTarget(target)
	if w == t {
		return true
	}
	digits := func(s string) string {
		return strings.Map(func(c rune) rune {
			if c >= '0' && c <= '9' {
				return c
			}
			return -1
		}, s)
	}
	phone := strings.Trim(target, "+0123456789-(). ") == ""
	return phone && digits(words) != "" && strings.HasSuffix(digits(target), strings.TrimLeft(digits(words), "0"))
}

// bareTarget takes off what people don't write.
func bareTarget(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	for _, p := range []string{"mailto:", "https://", "http://", "www."} {
		s = strings.TrimPrefix(s, p)
	}
	return strings.TrimRight(s, "/")
}
