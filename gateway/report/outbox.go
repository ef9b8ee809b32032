package report

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// outboxSize is how many reports of a kind may wait; more are given up.
	outboxSize = 1000
	// sendTimeout bounds one try.
	sendTimeout = time.Minute
	// drainTimeout bounds what is still sent at shutdown.
	drainTimeout = 5 * time.Second
)

// pauses are the waits between the tries of a report: a deploy of the
// receiver passes, an outage of a day doesn't.
var pauses = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// errFinal marks what no further try mends.
type errFinal struct {
	error
	result string
}

func (e errFinal) Unwrap() error { return e.error }

func permanent(err error) error { return errFinal{err, ResultFailed} }
func withheld(why string) error { return errFinal{errors.New(why), ResultWithheld} }

// outbox sends the reports of one kind in order, one at a time: they all go to
// the same place.
type outbox struct {
	kind    string
	observe func(kind, result string)
	waiting chan job
	ended   atomic.Bool // run has returned
}

type job struct {
	log  *slog.Logger // says which report it is
	send func(context.Context) error
}

func newOutbox(kind string, observe func(kind, result string)) *outbox {
	return &outbox{kind: kind, observe: observe, waiting: make(chan job, outboxSize)}
}

// add takes a report, or gives it up where too many wait. The logger says which
// report it is.
func (l *outbox) add(log *slog.Logger, send func(context.Context) error) {
	l.put(job{log.With("kind", l.kind), send})
}

func (l *outbox) put(j job) {
	if l.ended.Load() {
		l.finish(j, errors.New("the process is ending"))
		return
	}
	select {
	case l.waiting <- j:
	default:
		l.observe(l.kind, ResultOverflow)
		j.log.Error("not reported: too many reports wait; a dead letter is in the queue")
	}
}

// run sends until ctx ends, and then what waits, once.
func (l *outbox) run(ctx context.Context) {
	defer l.ended.Store(true)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case j := <-l.waiting:
			l.deliver(ctx, j)
		}
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	for {
		select {
		case j := <-l.waiting:
			l.finish(j, j.send(drain))
		default:
			return
		}
	}
}

// deliver tries a report until it is sent, can't be, or the tries are used up.
// At shutdown it is put back for the last round.
func (l *outbox) deliver(ctx context.Context, j job) {
	for n := 0; ; n++ {
		err := l.try(ctx, j)
		var final errFinal
		if err == nil || errors.As(err, &final) || n == len(pauses) {
			l.finish(j, err)
			return
		}
		j.log.Warn("could not be reported; trying again", "in", pauses[n].String(), "err", err)
		select {
		case <-ctx.Done():
			l.put(j)
			return
		case <-time.After(pauses[n]):
		}
	}
}

// try sends once. It goes on for a moment after ctx ended: cut short, nobody
// knows whether the report arrived.
func (l *outbox) try(ctx context.Context, j job) error {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(drainTimeout, cancel) })
	defer stop()
	return j.send(own)
}

// finish counts and logs a report's finish.
func (l *outbox) finish(j job, err error) {
	result := ResultSent
	var final errFinal
	switch {
	case errors.As(err, &final):
		result = final.result
	case err != nil:
		result = ResultFailed
	}
	l.observe(l.kind, result)
	switch result {
	case ResultSent:
		j.log.Info("reported")
	case ResultWithheld:
		j.log.Info("not reported", "why", err.Error())
	default:
		j.log.Error("could not be reported; a dead letter is in the queue", "err", err)
	}
}
