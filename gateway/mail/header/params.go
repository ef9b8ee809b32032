package header

import (
	"bytes"
	"sort"
	"strconv"
	"strings"

	"postern/gateway/mail/transfer"
)

// Parameters are a structured field's value: "value; name=value; …", read with
// no regard for what RFC 2045 forbids. Values are decoded (RFC 2231, RFC 2047,
// raw 8-bit).
type Parameters struct {
	Value string // lower case, without white space
	names []string
	vals  []string

	Boundaries []string // those of further fields, which Merge took
}

// Get returns a parameter, "" without.
func (p *Parameters) Get(name string) string {
	for i, n := range p.names {
		if n == name {
			return p.vals[i]
		}
	}
	return ""
}

// List is all parameters, in order.
func (p *Parameters) List() []Param {
	if len(p.names) == 0 {
		return nil
	}
	out := make([]Param, len(p.names))
	for i := range out {
		out[i] = Param{p.names[i], p.vals[i]}
	}
	return out
}

// Merge takes from another field of the same name what p doesn't say. A boundary
// that both name is one more to try.
func (p *Parameters) Merge(other Parameters) {
	for i, name := range other.names {
		switch {
		case name == "boundary" && p.has(name):
			p.Boundaries = append(p.Boundaries, other.vals[i])
		case !p.has(name):
			p.names, p.vals = append(p.names, name), append(p.vals, other.vals[i])
		}
	}
}

// Param is a parameter of a field. Its name is lower case and the only one of
// that name; its value is decoded.
type Param struct{ Name, Value string }

// rawParam is "name=value" with quotes taken off and nothing decoded.
type rawParam struct {
	name  string
	value []byte
}

// Parameters reads a structured field, Content-Type or Content-Disposition. The first of two parameters of one
// name wins, but an RFC 2231 form wins over a plain one.
func (d *Decoder) Parameters(raw []byte) Parameters {
	s := Unfold(raw)
	i := bytes.IndexAny(s, ";,")
	head := s
	if i >= 0 {
		head, s = s[:i], s[i+1:]
	} else {
		s = nil
	}
	var p Parameters
	if name, _, ok := bytes.Cut(head, []byte("=")); ok && !bytes.Contains(head, []byte("?=")) {
		// no value at all, just parameters: Content-Disposition: filename="x"
		if sp := bytes.IndexAny(bytes.TrimSpace(name), " \t"); sp < 0 {
			s = Unfold(raw)
			head = nil
		} else { // a missing semicolon: "multipart/mixed boundary=x"
			s = Unfold(raw)[sp:]
			head = name[:sp]
		}
	}
	p.Value = strings.ToLower(token(d, head))
	var list []rawParam
	for len(s) > 0 && len(list) < 200 {
		var q rawParam
		q, s = nextParam(s)
		if q.name != "" {
			list = append(list, q)
		}
	}
	d.assemble(&p, list)
	return p
}

// token cleans a value that should have been one token: comments, quotes and
// white space go, an encoded word is decoded.
func token(d *Decoder, b []byte) string {
	s := strings.TrimSpace(string(StripComments(b)))
	if strings.Contains(s, "=?") {
		s = d.Text([]byte(s))
	}
	s = strings.Trim(s, "\"' \t")
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		s = s[:i]
	}
	return d.Clean(s)
}

// nextParam cuts the first "name=value" off s. A quoted value ends at its
// closing quote, or without one at the next parameter; an unquoted value may
// hold spaces and ends at ";".
func nextParam(s []byte) (rawParam, []byte) {
	s = bytes.TrimLeft(s, " \t;,")
	eq := bytes.IndexByte(s, '=')
	semi := bytes.IndexByte(s, ';')
	if eq < 0 || semi >= 0 && semi < eq {
		if semi < 0 {
			return rawParam{}, nil
		}
		return rawParam{}, s[semi+1:]
	}
	name := strings.ToLower(string(bytes.TrimSpace(s[:eq])))
	if i := strings.LastIndexAny(name, " \t"); i >= 0 { // junk before the name
		name = name[i+1:]
	}
	s = bytes.TrimLeft(s[eq+1:], " \t")
	if len(s) > 0 && s[0] == '"' {
		value, rest := quotedValue(s)
		return rawParam{name, value}, rest
	}
	if semi = bytes.IndexByte(s, ';'); semi < 0 {
		semi = len(s)
	}
	value := bytes.TrimSpace(s[:semi])
	switch {
	case name == "boundary": // single quotes are part of it
		if i := bytes.Index(value, []byte(" (")); i > 0 {
			value = value[:i]
		}
	case len(value) > 1 && value[0] == '\'' && value[len(value)-1] == '\'' && !strings.HasSuffix(name, "*"):
		value = value[1 : len(value)-1]
	}
	return rawParam{name, value}, s[semi:]
}

// quotedValue reads the quoted string at the start of s. A backslash only
// escapes a quote or a backslash, so that "C:\temp" keeps its own.
func quotedValue(s []byte) (value, rest []byte) {
	out := make([]byte, 0, min(len(s), 128))
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			out = append(out, s[i])
		case s[i] == '"':
			rest = s[i+1:]
			if semi := bytes.IndexByte(rest, ';'); semi >= 0 {
				return out, rest[semi:]
			}
			return out, rest
		default:
			out = append(out, s[i])
		}
	}
	// never closed: it ends at the next parameter
	value = s[1:]
	if i := bytes.IndexByte(value, ';'); i >= 0 && bytes.IndexByte(value[i:], '=') >= 0 {
		return bytes.TrimSpace(value[:i]), value[i:]
	}
	return bytes.TrimRight(value, " \t;"), nil
}

// piece is one RFC 2231 segment: name*0*=…
type piece struct {
	index   int
	encoded bool
	value   []byte
}

// assemble joins the continuations of RFC 2231 on octets, so that a character
// may be split, and decodes every value.
func (d *Decoder) assemble(p *Parameters, list []rawParam) {
	pieces := map[string][]piece{}
	for _, q := range list {
		base, suffix, ok := strings.Cut(q.name, "*")
		if !ok {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSuffix(suffix, "*"))
		if err != nil {
			n = 0
		}
		pieces[base] = append(pieces[base], piece{n, suffix == "" || strings.HasSuffix(suffix, "*"), q.value})
	}
	for _, q := range list {
		base, _, ok := strings.Cut(q.name, "*")
		if p.has(base) {
			continue
		}
		value := ""
		if ps := pieces[base]; len(ps) > 0 {
			value = d.extended(ps)
		} else if !ok {
			value = d.Text(q.value)
		}
		p.names, p.vals = append(p.names, base), append(p.vals, value)
	}
}

func (p *Parameters) has(name string) bool {
	for _, n := range p.names {
		if n == name {
			return true
		}
	}
	return false
}

// extended decodes the segments of one RFC 2231 parameter: charset'language'text.
func (d *Decoder) extended(ps []piece) string {
	sort.SliceStable(ps, func(i, j int) bool { return ps[i].index < ps[j].index })
	charset, encoded := "", false
	var out []byte
	for i, q := range ps {
		v := q.value
		if q.encoded {
			if i == 0 {
				if parts := bytes.SplitN(v, []byte("'"), 3); len(parts) == 3 {
					charset, v = string(parts[0]), parts[2]
				}
			}
			encoded = true
			v = unpercent(v)
		}
		out = append(out, v...)
	}
	if !encoded || bytes.Contains(out, []byte("=?")) {
		return d.Text(out)
	}
	return d.Clean(d.charset(out, charset))
}

// unpercent decodes %XX; anything else stays.
func unpercent(v []byte) []byte {
	if bytes.IndexByte(v, '%') < 0 {
		return v
	}
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '%' && i+2 < len(v) {
			if h, l := transfer.Unhex(v[i+1]), transfer.Unhex(v[i+2]); h >= 0 && l >= 0 {
				out = append(out, byte(h<<4|l))
				i += 2
				continue
			}
		}
		out = append(out, v[i])
	}
	return out
}

// StripComments removes RFC 5322 comments; an unclosed one stays.
func StripComments(b []byte) []byte {
	if bytes.IndexByte(b, '(') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	depth, start := 0, 0
	for i, c := range b {
		switch {
		case c == '(':
			if depth == 0 {
				start = len(out)
			}
			depth++
		case c == ')' && depth > 0:
			if depth--; depth == 0 {
				out = out[:start]
				continue
			}
		}
		out = append(out, b[i])
	}
	return out
}
