package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
)

// The log, as SQLite writes it:
//
//	header: magic(4) version(4) page size(4) sequence(4) salt(8) sum(8)
//	frame:  page(4) size after commit, else 0(4) salt(8) sum(8) | page data
//
// A frame's sum goes on from the sum before it, which stands in the header or
// in the frame before. So each frame can be checked by itself, also behind one
// that is damaged.

// Sizes in octets.
const (
	PageSize    = 8192 // of every database that is read here
	HeaderSize  = 32   // of the log
	frameHeader = 24
	FrameSize   = frameHeader + PageSize
)

// Log is what a log holds.
type Log struct {
	frames []frame // in order, as far as they carry the log's salt
	whole  int     // SQLite reads so many: all in order and committed
}

// frame is one page of one transaction.
type frame struct {
	at     int64  // of its data in the file
	page   uint32 // from 1
	commit uint32 // pages of the database after this commit, 0 inside one
	good   bool   // its sum adds up
}

// Read reads the log at path; none is an empty one.
func Read(path string) (*Log, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Log{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, HeaderSize)
	if _, err := io.ReadFull(f, head); err != nil {
		return &Log{}, unlessEnd(err) // shorter than a header: no frame either
	}
	r := reader{f: f, log: &Log{}, order: byteOrder(head), salt: head[16:24]}
	addSum(r.order, &r.counted, head[:24])
	r.stored = storedSum(head[24:])
	r.broken = r.counted != r.stored
	return r.log, r.read()
}

// reader goes through a log.
type reader struct {
	f               *os.File
	log             *Log
	order           binary.ByteOrder
	salt            []byte
	stored, counted [2]uint32 // the sum before the next frame: as it stands there, and as it should
	broken          bool      // SQLite stopped before
}

func (r *reader) read() error {
	buf := make([]byte, FrameSize)
	for i := 0; ; i++ {
		if _, err := io.ReadFull(r.f, buf); err != nil {
			return unlessEnd(err)
		}
		if i == 0 && r.broken {
			r.salt = bytes.Clone(buf[8:16]) // the header's may be what is damaged
		}
		if !bytes.Equal(r.salt, buf[8:16]) && !r.continues(i+1) {
			return nil // left from an earlier round of the log
		}
		r.note(i, buf)
	}
}

// unlessEnd leaves aside that a file ended.
func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// note takes note of the i-th frame.
func (r *reader) note(i int, buf []byte) {
	w := frame{at: int64(HeaderSize + i*FrameSize + frameHeader), page: binary.BigEndian.Uint32(buf), commit: binary.BigEndian.Uint32(buf[4:])}
	byStored, byCounted, is := r.stored, r.counted, storedSum(buf[16:])
	for _, s := range []*[2]uint32{&byStored, &byCounted} {
		addSum(r.order, s, buf[:8])
		addSum(r.order, s, buf[frameHeader:])
	}
	ours := bytes.Equal(r.salt, buf[8:16]) && w.page > 0
	w.good = ours && (is == byStored || is == byCounted)
	if w.good && is != byStored && i > 0 {
		r.log.frames[i-1].good = true // only its sum is damaged
	}
	r.broken = r.broken || !ours || is != byStored
	r.stored, r.counted = is, byStored
	if byStored != is && byCounted == is {
		r.counted = byCounted
	}
	r.log.frames = append(r.log.frames, w)
	if !r.broken && w.commit > 0 {
		r.log.whole = len(r.log.frames)
	}
}

// continues says whether the i-th frame is of this round of the log.
func (r *reader) continues(i int) bool {
	next := make([]byte, frameHeader)
	_, err := r.f.ReadAt(next, int64(HeaderSize+i*FrameSize))
	return err == nil && bytes.Equal(r.salt, next[8:16])
}

// byteOrder is the byte order of the log's sums.
func byteOrder(head []byte) binary.ByteOrder {
	if binary.BigEndian.Uint32(head)&1 == 1 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func storedSum(b []byte) [2]uint32 {
	return [2]uint32{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

// addSum adds to a sum, eight octets at a time.
func addSum(order binary.ByteOrder, s *[2]uint32, b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
}

// Frames is how many there are, whole or damaged.
func (l *Log) Frames() int { return len(l.frames) }

// Whole is how many frames SQLite would read: all in order and committed.
func (l *Log) Whole() int { return l.whole }

// Committed is how many frames there are up to the last commit that can be read.
func (l *Log) Committed() int {
	for i := len(l.frames); i > 0; i-- {
		if w := l.frames[i-1]; w.good && w.commit > 0 {
			return i
		}
	}
	return 0
}

// Behind says that there is something behind what SQLite would read.
func (l *Log) Behind() bool { return l.Committed() > l.whole }

// Holes says that a page that is damaged in the log isn't written again behind
// the damage: what it held is lost.
func (l *Log) Holes() bool {
	again := map[uint32]bool{}
	for i := l.Committed(); i > 0; i-- {
		w := l.frames[i-1]
		if !w.good && !again[w.page] {
			return true
		}
		again[w.page] = true
	}
	return false
}
