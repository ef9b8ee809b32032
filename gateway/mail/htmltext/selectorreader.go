package htmltext

import (
	"bytes"

	"golang.org/x/net/html/atom"

	"postern/gateway/mail/htmltext/css"
)

// Bounds of a selector: one beyond them is not understood.
const (
	maxCompounds  = 8
	maxConditions = 16 // of a compound, and selectors in parentheses
	maxParens     = 4
)

// selectorReader reads selectors: what mails use of Selectors 4.
type selectorReader struct {
	b     []byte
	names *names
	depth int // of parentheses
}

// selector reads all that is left; false for what isn't understood.
func (r *selectorReader) selector() (s selector, ok bool) {
	for relation := byte(0); ; {
		c := compound{relation: relation}
		if len(s) >= maxCompounds || !r.compound(&c) {
			return nil, false
		}
		s = append(s, c)
		if len(r.b) == 0 {
			return s, true
		}
		relation = ' '
		for len(r.b) > 0 && (css.Blank(r.b[0]) || bytes.IndexByte([]byte(">+~"), r.b[0]) >= 0) {
			if !css.Blank(r.b[0]) {
				if relation != ' ' {
					return nil, false
				}
				relation = r.b[0]
			}
			r.b = r.b[1:]
		}
	}
}

// compound reads what stands together; false for nothing.
func (r *selectorReader) compound(c *compound) bool {
	for some := false; ; some = true {
		if len(r.b) == 0 {
			return some
		}
		first := r.b[0]
		switch first {
		case '.', '#', '[', ':', '*':
			r.b = r.b[1:]
		}
		ok := true
		switch first {
		case '*':
		case '.':
			c.classes = append(c.classes, r.lowerName(&ok))
		case '#':
			c.id = r.lowerName(&ok)
		case '[':
			ok = r.attribute(c)
		case ':':
			ok = r.pseudo(c)
		case ' ', '\t', '\n', '\r', '\f', '>', '+', '~':
			return some
		default:
			name := r.lowerName(&ok)
			if c.tag = atom.Lookup([]byte(name)); c.tag == 0 {
				c.name = name
			}
			ok = ok && !some
		}
		if !ok || len(c.conditions)+len(c.classes) > maxConditions {
			return false
		}
	}
}

// name reads an identifier, escapes undone.
func (r *selectorReader) name() []byte {
	n := 0
	for n < len(r.b) {
		switch c := r.b[n]; {
		case c == '\\':
			n += 2
			for k := 0; k < 5 && n < len(r.b) && css.Unhex(r.b[n-1]) >= 0 && css.Unhex(r.b[n]) >= 0; k++ {
				n++
			}
			if n < len(r.b) && css.Blank(r.b[n]) && css.Unhex(r.b[n-1]) >= 0 {
				n++
			}
		case c >= 0x80 || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_':
			n++
		default:
			return r.cut(n)
		}
	}
	return r.cut(n)
}

func (r *selectorReader) cut(n int) []byte {
	n = min(n, len(r.b))
	name := css.UnescapeCSS(r.b[:n])
	r.b = r.b[n:]
	return name
}

func (r *selectorReader) lowerName(ok *bool) string {
	name := css.Lower(r.name())
	*ok = *ok && len(name) > 0
	return string(name)
}

// attribute reads "a=b]".
func (r *selectorReader) attribute(c *compound) bool {
	ok := true
	r.b = css.Trim(r.b)
	name := r.lowerName(&ok)
	d := condition{kind: hasAttr, key: r.names.ask(name), fold: css.Folds(name)}
	r.b = css.Trim(r.b)
	if len(r.b) > 0 && r.b[0] != ']' {
		d.op = r.b[0]
		if d.op != '=' {
			r.b = r.b[1:]
		}
		if bytes.IndexByte([]byte("=~|^$*"), d.op) < 0 || len(r.b) == 0 || r.b[0] != '=' {
			return false
		}
		r.b = css.Trim(r.b[1:])
		value := r.value()
		r.b = css.Trim(r.b)
		if flag := r.name(); css.Is(flag, "i") {
			d.fold = true
		} else if css.Is(flag, "s") {
			d.fold = false
		}
		if d.fold {
			value = css.Lower(value)
		}
		d.value = string(value)
		r.b = css.Trim(r.b)
	}
	if !ok || d.key == attrNone || len(r.b) == 0 || r.b[0] != ']' {
		return false
	}
	r.b = r.b[1:]
	c.conditions = append(c.conditions, d)
	return true
}

// value reads a name or a quoted string.
func (r *selectorReader) value() []byte {
	if len(r.b) == 0 || r.b[0] != '"' && r.b[0] != '\'' {
		return r.name()
	}
	quote := r.b[0]
	r.b = r.b[1:]
	n := 0
	for n < len(r.b) && r.b[n] != quote {
		if r.b[n] == '\\' {
			n++
		}
		n++
	}
	value := r.cut(n)
	r.b = r.b[min(1, len(r.b)):]
	return value
}

// pseudo reads the name of a pseudo-class and its arguments.
func (r *selectorReader) pseudo(c *compound) bool {
	ok := true
	name := r.lowerName(&ok)
	if !ok {
		return false // a pseudo-element is not the element
	}
	var arg []byte
	if len(r.b) > 0 && r.b[0] == '(' {
		arg, r.b = css.ClosingParen(r.b[1:])
		arg = css.Trim(arg)
	}
	ds, ok := r.conditions(name, arg)
	c.conditions = append(c.conditions, ds...)
	return ok
}

func (r *selectorReader) conditions(name string, arg []byte) ([]condition, bool) {
	one := func(d condition) []condition { return []condition{d} }
	first := condition{kind: isNth, b: 1}
	last := condition{kind: isNth, b: 1, count: fromLast}
	switch name {
	case "is", "where", "matches", "-webkit-any", "-moz-any":
		any, _ := r.list(arg)
		return one(condition{kind: isAny, any: any, light: name == "where"}), true
	case "not":
		any, ok := r.list(arg)
		return one(condition{kind: isNone, any: any}), ok && len(any) > 0
	case "first-child":
		return one(first), true
	case "last-child":
		return one(last), true
	case "only-child":
		return []condition{first, last}, true
	case "first-of-type":
		return one(condition{kind: isNth, b: 1, count: fromFirstOfTag}), true
	case "last-of-type":
		return one(condition{kind: isNth, b: 1, count: fromLastOfTag}), true
	case "only-of-type":
		return []condition{{kind: isNth, b: 1, count: fromFirstOfTag}, {kind: isNth, b: 1, count: fromLastOfTag}}, true
	case "nth-child":
		return nthOf(arg, fromFirst)
	case "nth-last-child":
		return nthOf(arg, fromLast)
	case "nth-of-type":
		return nthOf(arg, fromFirstOfTag)
	case "nth-last-of-type":
		return nthOf(arg, fromLastOfTag)
	case "root":
		return one(condition{kind: isRoot}), true
	case "empty":
		return one(condition{kind: isEmpty}), true
	case "link", "any-link":
		return one(condition{kind: hasAttr, key: attrHref}), true
	case "checked":
		return one(condition{kind: hasAttr, key: r.names.ask("checked")}), true
	case "hover", "active", "focus", "focus-within", "focus-visible", "visited", "target", "popover-open", "fullscreen":
		return one(condition{kind: never}), true
	}
	return nil, false
}

// list reads the selectors in parentheses; false when one isn't understood.
func (r *selectorReader) list(arg []byte) (all []selector, ok bool) {
	ok = r.depth < maxParens
	for len(arg) > 0 && r.depth < maxParens {
		var one []byte
		one, arg = css.CutTop(arg, ',')
		in := selectorReader{css.Trim(one), r.names, r.depth + 1}
		s, understood := in.selector()
		if !understood || len(all) >= maxConditions {
			ok = false
			continue
		}
		all = append(all, s)
	}
	return all, ok
}

func nthOf(arg []byte, how counting) ([]condition, bool) {
	a, b, ok := css.ParseNth(arg)
	return []condition{{kind: isNth, a: a, b: b, count: how}}, ok
}
