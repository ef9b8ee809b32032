package mail

import "postern/gateway/mail/header"

// Shown is a message's header as Parse reads it.
type Shown struct {
	From  []Address
	Body  int64 // where the body starts
	Whole bool  // nothing of the header is shown as text or as an attachment
	block header.Block
}

// All returns the values of every field of that name, as received.
func (s *Shown) All(name string) [][]byte { return s.block.All(name) }

// ReadShown reads a message's header exactly as Parse does, and nothing else of it.
// A header within one per cent of the limits isn't whole: there must be room for the
// fields that are put before it later.
func ReadShown(src Source, lim Limits) (*Shown, error) {
	o, err := openOctets(src)
	if err != nil {
		return nil, err
	}
	defer o.close()
	lim = lim.withDefaults()
	lim.Headers -= lim.Headers / 100
	lim.HeaderBytes -= lim.HeaderBytes / 100
	p := &parser{octets: o, split: splitter{octets: o}, src: src, lim: lim, msg: &Message{}}
	s := &Shown{}
	s.block, s.Body = p.readHeader(0)
	s.Whole = len(s.block.Loose) == 0 && len(p.msg.Attachments) == 0
	s.From = p.dec.Addresses(s.block.All("From"))
	return s, o.err
}
