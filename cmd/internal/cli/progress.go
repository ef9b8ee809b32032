package cli

import (
	"io"
	"sync"
	"time"
)

// When what takes long says so.
const (
	quiet      = time.Second            // nothing is said of what ends within it
	redraw     = 200 * time.Millisecond // on a terminal, on one line
	plainEvery = 5 * time.Second        // elsewhere, a line each
)

// emptyLine goes back to the start of a terminal's line and clears it.
const emptyLine = "\r\x1b[K"

// Watch tells how far something is, from a second after its start until stop
// is called: a line that changes in place on a terminal, a line now and then
// elsewhere. stop leaves a terminal's line empty. line is called by another
// goroutine; what it says of a mail must be fit for a terminal.
func Watch(w io.Writer, line func() string) (stop func()) {
	return watchAs(w, Terminal(w), line)
}

// Line makes room for a line on a terminal that something is watched on.
func Line(w io.Writer) {
	if Terminal(w) {
		_, _ = io.WriteString(w, emptyLine)
	}
}

func watchAs(w io.Writer, terminal bool, line func() string) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	before, after, every := "", "\n", plainEvery
	if terminal {
		before, after, every = emptyLine, "", redraw
	}
	go func() {
		defer close(ended)
		t := time.NewTimer(quiet)
		defer t.Stop()
		for said := ""; ; {
			select {
			case <-over:
				if said != "" && terminal {
					_, _ = io.WriteString(w, emptyLine)
				}
				return
			case <-t.C:
			}
			said = line()
			_, _ = io.WriteString(w, before+said+after)
			t.Reset(every)
		}
	}()
	return sync.OnceFunc(func() { close(over); <-ended })
}
