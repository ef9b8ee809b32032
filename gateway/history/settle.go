package history

import "strings"

// Settlement is what became of a delivery that waited, or of a dead letter.
type Settlement string

// The settlements; an attempt that will be repeated has none.
const (
	SettledDone Settlement = "done"
	SettledDead Settlement = "dead"
	// Those below are no attempts.
	QueuedAgain Settlement = "queued"   // an operator had the message sent once more
	Replayed    Settlement = "replayed" // a dead letter waits again
	Deleted     Settlement = "deleted"  // it left the queue, by an operator or by POSTERN_DEAD_RETAIN
	Divided     Settlement = "divided"  // its webhook took it for some recipients: Parts are what is left
	Vanished    Settlement = "vanished" // the queue doesn't have it any more, and nobody told why
)

// HandedOver is the reason of what a client came for (TURN), whether it took it or
// not.
const HandedOver = "turn"

// Posted reports whether the settlement is an attempt's.
func (s Settlement) Posted() bool {
	return s == "" || s == SettledDone || s == SettledDead || s == Divided
}

// Counts is how many of a message's deliveries are where.
type Counts struct {
	Waiting, Dead int // in the queue
	Removed       int // left it without arriving
}

// Counts is how the record stands.
func (r *Record) Counts() Counts { return Counts{r.Waiting, r.Dead, r.Removed} }

func (r *Record) set(c Counts) { r.Waiting, r.Dead, r.Removed = c.Waiting, c.Dead, c.Removed }

// Settle counts what an attempt settled. Where nothing was waiting, it was a dead
// letter that nobody said was replayed.
func (c Counts) Settle(a *Attempt) Counts {
	w, d := c.Waiting, c.Dead
	switch {
	case a.Settles == QueuedAgain:
		c.Waiting, c.Removed = w+1, max(c.Removed-1, 0)
	case a.Settles == Replayed:
		c.Waiting, c.Dead = w+1, max(d-1, 0)
	case a.Settles == Divided:
		c.Waiting = max(w+a.Parts-1, 0)
	case a.Settles == Deleted && a.WasDead:
		c.Dead, c.Removed = max(d-1, 0), c.Removed+1
	case a.Settles == Deleted:
		c.Waiting, c.Removed = max(w-1, 0), c.Removed+1
	case a.Settles == SettledDead && w == 0:
		c.Dead = max(d, 1)
	case a.Settles == SettledDead:
		c.Waiting, c.Dead = w-1, d+1
	case a.Settles == SettledDone && w == 0:
		c.Dead = max(d-1, 0)
	case a.Settles == SettledDone:
		c.Waiting = w - 1
	case a.Settles == Vanished:
		c.Waiting, c.Dead, c.Removed = max(w-a.Parts, 0), max(d-max(a.Parts-w, 0), 0), c.Removed+a.Parts
	}
	return c
}

// settleSQL is Counts.Settle over the columns waiting, dead and removed of the row
// whose id is $id; $parts and $dead are numbers.
const settleSQL = ` SET
	waiting = CASE WHEN $kind IN ('queued', 'replayed') THEN waiting + 1
		WHEN $kind = 'divided' THEN CASE WHEN waiting + $parts > 1 THEN waiting + $parts - 1 ELSE 0 END
		WHEN $kind = 'deleted' AND $dead = 1 OR waiting = 0 THEN waiting ELSE waiting - 1 END,
	dead = CASE WHEN $kind IN ('queued', 'divided') THEN dead
		WHEN $kind = 'dead' AND waiting = 0 AND dead > 0 THEN dead
		WHEN $kind = 'dead' THEN dead + 1
		WHEN $kind = 'deleted' AND $dead = 0 THEN dead
		WHEN dead > 0 AND ($kind IN ('replayed', 'deleted') OR waiting = 0) THEN dead - 1 ELSE dead END,
	removed = CASE WHEN $kind = 'deleted' THEN removed + 1 WHEN $kind = 'queued' AND removed > 0 THEN removed - 1 ELSE removed END
	WHERE id = $id`

// SettleSQL is the statement that counts what an attempt settled; the engine's
// names stand for the message's id, Attempt.Settles, Attempt.Parts and 1 for
// Attempt.WasDead.
func SettleSQL(table, id, kind, parts, dead string) string {
	return "UPDATE " + table + strings.NewReplacer("$id", id, "$kind", kind, "$parts", parts, "$dead", dead).Replace(settleSQL)
}

// UnsettledSQL selects n, id, waiting and dead of those whose numbers are above the
// first mark, at most the second.
func UnsettledSQL(table, after, limit string) string {
	one := func(which string) string {
		return "SELECT n, id, waiting, dead FROM (SELECT n, id, waiting, dead FROM " + table + " WHERE " + which + " > 0 AND n > " + after + " ORDER BY n LIMIT " + limit + ") " + which
	}
	return one("waiting") + " UNION " + one("dead") + " ORDER BY n LIMIT " + limit
}

// Standings reads the rows of UnsettledSQL.
func Standings(rows Rows) ([]Standing, error) {
	var all []Standing
	for rows.Next() {
		var s Standing
		if err := rows.Scan(&s.N, &s.Message, &s.Waiting, &s.Dead); err != nil {
			return nil, wrapped(err)
		}
		all = append(all, s)
	}
	return all, wrapped(rows.Err())
}
