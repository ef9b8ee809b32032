package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// This file reads SQLite's write-ahead log beside SQLite, which takes the first
// frame that doesn't add up for the end of the log and forgets all behind it,
// without a word.
//
//	header: magic(4) version(4) page size(4) sequence(4) salt(8) sum(8)
//	frame:  page(4) size after commit, else 0(4) salt(8) sum(8) | page data
//
// A frame's sum goes on from the sum before it, which stands in the header or
// in the frame before. So each frame can be checked by itself, also behind one
// that is damaged.

const (
	pageSize    = 8192 // as every queue.db is made
	walHeader   = 32
	frameHeader = 24
	frameSize   = frameHeader + pageSize
	walMagic    = 0x377f0682 // | 1: sums are taken big-endian
)

// walLog is what a log holds.
type walLog struct {
	frames []walFrame // in order, as far as they carry the log's salt
	whole  int        // SQLite reads so many: all in order and committed
}

// walFrame is one page of one transaction.
type walFrame struct {
	at     int64  // of its data in the file
	page   uint32 // from 1
	commit uint32 // pages of the database after this commit, 0 inside one
	good   bool   // its sum adds up
}

// readWAL reads the log at path; none is an empty one.
func readWAL(path string) (*walLog, error) {
	f, err := os.Open(path)
	if isMissing(err) {
		return &walLog{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, walHeader)
	if _, err := io.ReadFull(f, head); err != nil {
		return &walLog{}, nil //nolint:nilerr // shorter than a header: no frame either
	}
	r := walReader{f: f, log: &walLog{}, order: walOrder(head), salt: head[16:24]}
	walSum(r.order, &r.counted, head[:24])
	r.stored = storedSum(head[24:])
	r.broken = r.counted != r.stored
	return r.log, r.read()
}

// walReader goes through a log.
type walReader struct {
	f               *os.File
	log             *walLog
	order           binary.ByteOrder
	salt            []byte
	stored, counted [2]uint32 // the sum before the next frame: as it stands there, and as it should
	broken          bool      // SQLite stopped before
}

func (r *walReader) read() error {
	buf := make([]byte, frameSize)
	for i := 0; ; i++ {
		if _, err := io.ReadFull(r.f, buf); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return err
		}
		if i == 0 && r.broken {
			r.salt = bytes.Clone(buf[8:16]) // the header's may be what is damaged
		}
		if !bytes.Equal(r.salt, buf[8:16]) && !r.continues(i+1) {
			return nil // left from an earlier round of the log
		}
		r.frame(i, buf)
	}
}

// frame takes note of the i-th frame.
func (r *walReader) frame(i int, buf []byte) {
	w := walFrame{at: int64(walHeader + i*frameSize + frameHeader), page: binary.BigEndian.Uint32(buf), commit: binary.BigEndian.Uint32(buf[4:])}
	byStored, byCounted, is := r.stored, r.counted, storedSum(buf[16:])
	for _, s := range []*[2]uint32{&byStored, &byCounted} {
		walSum(r.order, s, buf[:8])
		walSum(r.order, s, buf[frameHeader:])
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
func (r *walReader) continues(i int) bool {
	next := make([]byte, frameHeader)
	_, err := r.f.ReadAt(next, int64(walHeader+i*frameSize))
	return err == nil && bytes.Equal(r.salt, next[8:16])
}

// walOrder is the byte order of the log's sums.
func walOrder(head []byte) binary.ByteOrder {
	if binary.BigEndian.Uint32(head)&1 == 1 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func storedSum(b []byte) [2]uint32 {
	return [2]uint32{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

// walSum adds to a sum, eight octets at a time.
func walSum(order binary.ByteOrder, s *[2]uint32, b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
}

// committed is how many frames there are up to the last commit that can be read.
func (l *walLog) committed() int {
	for i := len(l.frames); i > 0; i-- {
		if w := l.frames[i-1]; w.good && w.commit > 0 {
			return i
		}
	}
	return 0
}

// behind says that there is something behind what SQLite would read.
func (l *walLog) behind() bool { return l.committed() > l.whole }

// holes says that a page that is damaged in the log isn't written again behind
// the damage: what it held is lost.
func (l *walLog) holes() bool {
	again := map[uint32]bool{}
	for i := l.committed(); i > 0; i-- {
		w := l.frames[i-1]
		if !w.good && !again[w.page] {
			return true
		}
		again[w.page] = true
	}
	return false
}

// promised is how many frames the index beside the log says were committed; it
// is SQLite's own and only there after an unclean end.
func promised(shm, wal string) int {
	index, err := readStart(shm, 48)
	if err != nil {
		return 0
	}
	sum := [2]uint32{}
	walSum(binary.NativeEndian, &sum, index[:40])
	if sum != [2]uint32{binary.NativeEndian.Uint32(index[40:]), binary.NativeEndian.Uint32(index[44:])} {
		return 0
	}
	if head, err := readStart(wal, walHeader); err == nil && !bytes.Equal(head[16:24], index[32:40]) {
		return 0 // of another round
	}
	return int(binary.NativeEndian.Uint32(index[16:]))
}

func readStart(path string, n int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, n)
	_, err = io.ReadFull(f, b)
	return b, err
}

// image writes the database as it is with the first frames of a log, those that
// are damaged aside.
func image(to, db, wal string, l *walLog, frames int) error {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(copyInto(out, db), l.apply(out, wal, frames))
	if err == nil {
		// It stands alone: no log belongs to it any more.
		_, err = out.WriteAt([]byte{1, 1}, 18)
	}
	return errors.Join(err, out.Sync(), out.Close())
}

// copyInto copies a file that may be missing.
func copyInto(out *os.File, path string) error {
	in, err := os.Open(path)
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	return err
}

func (l *walLog) apply(out *os.File, wal string, frames int) error {
	if frames == 0 {
		return nil
	}
	in, err := os.Open(wal)
	if err != nil {
		return err
	}
	defer in.Close()
	page, pages := make([]byte, pageSize), uint32(0)
	for _, w := range l.frames[:frames] {
		if !w.good {
			continue
		}
		if _, err := in.ReadAt(page, w.at); err != nil {
			return err
		}
		if _, err := out.WriteAt(page, int64(w.page-1)*pageSize); err != nil {
			return err
		}
		if w.commit > 0 {
			pages = w.commit
		}
	}
	return out.Truncate(int64(pages) * pageSize)
}
