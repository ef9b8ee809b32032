package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// CheckFirstPage says whether the database at path begins as one that is read
// here: nil, the file's own error, or what is wrong with it.
func CheckFirstPage(path string) error {
	head, err := readStart(path, 100)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		return fmt.Errorf("%s doesn't begin as a database", path)
	}
	if n := binary.BigEndian.Uint16(head[16:]); n != PageSize {
		return fmt.Errorf("%s has pages of %d octets, not %d", path, n, PageSize)
	}
	return nil
}

// Promised is how many frames the index beside the log says were committed; it
// is SQLite's own and only there after an unclean end.
func Promised(shm, wal string) int {
	index, err := readStart(shm, 48)
	if err != nil {
		return 0
	}
	sum := [2]uint32{}
	addSum(binary.NativeEndian, &sum, index[:40])
	if sum != [2]uint32{binary.NativeEndian.Uint32(index[40:]), binary.NativeEndian.Uint32(index[44:])} {
		return 0
	}
	if head, err := readStart(wal, HeaderSize); err == nil && !bytes.Equal(head[16:24], index[32:40]) {
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
