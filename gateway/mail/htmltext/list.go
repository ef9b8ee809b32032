package htmltext

import (
	"strconv"
	"strings"

	"golang.org/x/net/html/atom"

	"postern/gateway/mail/htmltext/css"
)

// list is the list whose items are written.
type list struct {
	ordered  bool
	unmarked bool
	next     int
	step     int
	letters  string // type=a, A, i, I; "" for numbers
}

func (r *renderer) listOf(c int32, n *node) {
	outer := r.list
	l := &list{ordered: n.tag == atom.Ol, unmarked: n.flags&noMarks != 0, next: 1, step: 1}
	if v, err := strconv.Atoi(string(css.Trim(r.get(n, attrStart)))); err == nil {
		l.next = v
	}
	if t := string(r.get(n, attrType)); t == "a" || t == "A" || t == "i" || t == "I" {
		l.letters = t
	} else if css.Is([]byte(t), "none") {
		l.unmarked = true
	}
	if r.has(n, attrReversed) {
		l.step = -1
		if !r.has(n, attrStart) {
			l.next = r.items(c)
		}
	}
	r.list = l
	r.walk(c)
	r.list = outer
}

func (r *renderer) items(list int32) (n int) {
	for c := range r.children(list) {
		if r.nodes[c].tag == atom.Li {
			n++
		}
	}
	return n
}

// item writes a list item behind its mark.
func (r *renderer) item(c int32, n *node) {
	l := r.list
	if l == nil {
		l = &list{}
		r.list = l
		defer func() { r.list = nil }()
	}
	if n.flags&continuation == 0 {
		if v, err := strconv.Atoi(string(css.Trim(r.get(n, attrValue)))); err == nil && l.ordered {
			l.next = v
		}
	}
	mark := l.mark(r.markdown)
	if n.flags&continuation == 0 {
		l.next += l.step
	}
	if r.bare || l.unmarked || n.flags&(noMarks|continuation) != 0 {
		r.walk(c)
		return
	}
	pop := r.w.push(mark, strings.Repeat(" ", len(mark)))
	r.walk(c)
	pop()
}

// mark is what stands before the next item.
func (l *list) mark(markdown bool) string {
	switch {
	case !l.ordered:
		return "- "
	case l.letters == "" || markdown || l.next <= 0:
		return strconv.Itoa(l.next) + ". "
	case l.letters == "i":
		return strings.ToLower(roman(l.next)) + ". "
	case l.letters == "I":
		return roman(l.next) + ". "
	}
	s := ""
	for n := l.next; n > 0; n = (n - 1) / 26 {
		s = string(rune(l.letters[0])+rune((n-1)%26)) + s
	}
	return s + ". "
}

func roman(n int) string {
	if n > 3999 {
		return strconv.Itoa(n)
	}
	values := [...]int{1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1}
	digits := [...]string{"M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"}
	s := ""
	for i, v := range values {
		for ; n >= v; n -= v {
			s += digits[i]
		}
	}
	return s
}
