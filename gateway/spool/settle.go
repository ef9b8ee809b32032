package spool

// Octets in files lie in the system's memory until they are on the disk. Where a
// cgroup limits that memory and most of it is such octets, the system has the whole
// process wait for the disk, whatever it does: small mail too. So once the files of
// all spools have more of them than a share, each sender waits for its own, and has
// those of a message that is there already sent on their way.

const (
	settleStep  = 1 << 20 // octets that are waited for at once
	settleAt    = 4       // spools that wait at the same time: each takes a thread
	looseOfRoom = 8       // the part of the memory for mail that octets on their way to the disk may have
)

// Settle waits until what was written is on the disk, where too much isn't. It is
// for the writer to call, between two Writes, when nobody waits for it.
func (p *Spool) Settle() {
	if p.loose() < settleStep || !p.owner.crowded() {
		return
	}
	p.owner.settling <- struct{}{}
	defer func() { <-p.owner.settling }()
	p.owner.settleDone()
	writeBack(p.file, p.settled, p.loose())
	p.owner.loose.Add(-p.loose())
	p.settled = p.size
}

// done notes that no more is written, for others to settle.
func (p *Spool) done() {
	s := p.owner
	if p.file == nil || s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.loose() > 0 {
		s.done[p] = struct{}{}
	}
}

// settleDone starts the way to the disk of one spool that is done, for which nobody
// waits.
func (s *Spooler) settleDone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.done {
		startWriteBack(p.file, p.settled, p.loose())
		s.forget(p)
		return
	}
}

// forget takes the octets of a spool that is done out of the account; s is locked.
func (s *Spooler) forget(p *Spool) {
	delete(s.done, p)
	s.loose.Add(-p.loose())
	p.settled = p.size
}

// loose is the octets of the file that nobody has waited for.
func (p *Spool) loose() int64 {
	if p.file == nil {
		return 0
	}
	return p.size - p.settled
}

// crowded reports whether too many octets are on their way to the disk.
func (s *Spooler) crowded() bool {
	most := s.room.Stats().Total / looseOfRoom
	return most > 0 && s.loose.Load() > most
}
