package mail

// Authors returns the addresses of the message's From exactly as Parse does, and in
// how many fields they stand, without reading anything else of it.
func Authors(src Source, lim Limits) (from []Address, fields int, err error) {
	o, err := openOctets(src)
	if err != nil {
		return nil, 0, err
	}
	defer o.close()
	p := &parser{octets: o, split: splitter{octets: o}, src: src, lim: lim.withDefaults(), msg: &Message{}}
	h, _ := p.readHeader(0)
	all := h.All("From")
	return p.dec.Addresses(all), len(all), o.err
}
