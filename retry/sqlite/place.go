package sqlite

import "postern/retry/sqlite/place"

// remember notes which files are open.
func (q *Queue) remember() (err error) {
	q.place, err = place.Of(q.dir, "queue.db", "queue.lock", "bodies")
	return err
}

// checkPlace holds the folder to the files that were opened. It is asked before
// anything is accepted.
func (q *Queue) checkPlace() error {
	if err := q.place.Check(); err != nil {
		return q.fail(err)
	}
	return nil
}

// checkPlace is the queue's, once for all that a batch accepts.
func (t *tx) checkPlace() error {
	if t.placed {
		return nil
	}
	t.placed = true
	return t.q.checkPlace()
}
