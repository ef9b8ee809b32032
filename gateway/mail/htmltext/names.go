package htmltext

// names are the attributes that style sheets ask for, beside those that matter
// always. An element that stands before the sheet has lost them: then the page
// is read again.
type names struct {
	keys map[string]attrKey
	lost uint64 // a bit for each name that was not kept; names may share one
	late bool   // a sheet asked for one of those
}

// maxAsked bounds the names.
const maxAsked = 128

// ask is the key of an attribute that a sheet names, attrNone for one too many.
func (a *names) ask(name string) attrKey {
	if k := attrKeys[name]; k != attrNone {
		return k
	}
	if k := a.keys[name]; k != attrNone || len(a.keys) >= maxAsked || name == "" {
		return k
	}
	if a.keys == nil {
		a.keys = map[string]attrKey{}
	}
	k := attrAsked + attrKey(len(a.keys))
	a.keys[name] = k
	a.late = a.late || a.lost&nameBit([]byte(name)) != 0
	return k
}

// key is the key of an element's attribute that doesn't matter always, attrNone
// for one that isn't kept.
func (a *names) key(name []byte) attrKey {
	if len(a.keys) > 0 {
		if k := a.keys[string(name)]; k != attrNone {
			return k
		}
	}
	a.lost |= nameBit(name)
	return attrNone
}

func nameBit(name []byte) uint64 {
	if len(name) == 0 {
		return 0
	}
	return 1 << ((int(name[0])*7 + int(name[len(name)-1])*3 + len(name)) & 63)
}
