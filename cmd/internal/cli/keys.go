package cli

import (
	"context"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// keyWait is how long a key is waited for before it is looked whether anybody
// wants one.
const keyWait = 200 // milliseconds

// Keys calls pressed with each key that is pressed on a terminal, without
// waiting for the end of a line, until ctx ends. What is no terminal has no keys.
// Interrupts stay the system's.
func Keys(ctx context.Context, in io.Reader, pressed func(key byte)) {
	f, ok := in.(*os.File)
	if !ok || !Terminal(in) {
		return
	}
	fd := int(f.Fd())
	// Who isn't in front of the terminal would be stopped for changing it.
	if front, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil || front != unix.Getpgrp() {
		return
	}
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return
	}
	now := *before
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if unix.IoctlSetTermios(fd, setTermios, &now) != nil {
		return
	}
	defer func() { _ = unix.IoctlSetTermios(fd, setTermios, before) }()
	for ctx.Err() == nil {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, keyWait)
		if err == unix.EINTR || err == nil && ready == 0 {
			continue
		}
		var key [1]byte
		if n, readErr := f.Read(key[:]); err != nil || readErr != nil || n == 0 {
			return
		}
		pressed(key[0])
	}
}
