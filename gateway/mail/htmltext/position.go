package htmltext

import (
	"golang.org/x/net/html/atom"

	"postern/gateway/mail/htmltext/css"
)

// counting is one of the ways to count an element among its siblings.
type counting uint8

const (
	fromFirst counting = iota
	fromLast
	fromFirstOfTag
	fromLastOfTag
)

// position is an element's place among its siblings, from 1, in each way.
type position [4]int32

// position counts all elements of the page when it is first asked.
func (p *Page) position(i int32) *position {
	if p.positions == nil {
		p.positions = make([]position, len(p.nodes))
		seen := map[tag]int32{}
		for parent := range p.nodes {
			if p.nodes[parent].first != 0 {
				p.countChildren(int32(parent), seen)
			}
		}
	}
	return &p.positions[i]
}

func (p *Page) countChildren(parent int32, seen map[tag]int32) {
	clear(seen)
	start := p.afterHead(parent)
	number := int32(0)
	for c := start; c != 0; c = p.nodes[c].next {
		if t := p.nodes[c].tag; t != textTag {
			number++
			seen[t]++
			p.positions[c][fromFirst], p.positions[c][fromFirstOfTag] = number, seen[t]
		}
	}
	for c := start; c != 0; c = p.nodes[c].next {
		if t := p.nodes[c].tag; t != textTag {
			p.positions[c][fromLast] = number + 1 - p.positions[c][fromFirst]
			p.positions[c][fromLastOfTag] = seen[t] + 1 - p.positions[c][fromFirstOfTag]
		}
	}
}

// afterHead is the first child that stands in the body, where the page leaves
// out the tags that begin it.
func (p *Page) afterHead(parent int32) int32 {
	c := p.nodes[parent].first
	if parent != 0 && p.nodes[parent].tag != atom.Html {
		return c
	}
	for ; c != 0; c = p.nodes[c].next {
		n := &p.nodes[c]
		if n.tag == textTag && len(css.Trim(p.text(n))) > 0 || n.tag != textTag && n.tag != atom.Head && n.tag != atom.Meta && n.class&inHead == 0 {
			break
		}
	}
	return c
}
