package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"postern/retry/engine"
)

// salvaged counts what was taken over, and rows that couldn't be read.
type salvaged struct{ messages, deliveries, unreadable int }

// salvage takes over the rows of a damaged database whose seals hold and that
// this one doesn't have. Each row is read by its number, so that a damaged page
// costs only the rows on it.
func (q *Queue) salvage(ctx context.Context, path string) (salvaged, error) {
	old, err := openAlone(path)
	if err != nil {
		return salvaged{}, err
	}
	defer old.Close()
	s := &salvager{q: q, old: old, rows: map[int64]int64{}}
	if _, err := q.w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return s.got, err
	}
	err = s.run(ctx)
	if err == nil {
		_, err = q.w.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, _ = q.w.conn.ExecContext(ctx, "ROLLBACK")
		return s.got, fmt.Errorf("salvaging: %w", err)
	}
	return s.got, nil
}

type salvager struct {
	q    *Queue
	old  *sql.DB
	rows map[int64]int64 // messages' numbers, old to new
	got  salvaged
}

func (s *salvager) run(ctx context.Context) error {
	for n, last := int64(1), s.last(ctx, "message"); n <= last; n++ {
		if err := s.message(ctx, n); err != nil {
			return err
		}
	}
	for n, last := int64(1), s.last(ctx, "delivery"); n <= last; n++ {
		if err := s.delivery(ctx, n); err != nil {
			return err
		}
	}
	if err := s.orphans(ctx); err != nil {
		return err
	}
	for _, t := range []struct{ table, columns string }{{"meta", "k, v"}, {"taken", "key, id, expires_ms"}, {"endpoint", "name, paused, until_ms, why, breaker"}} {
		if err := s.table(ctx, t.table, t.columns); err != nil {
			return err
		}
	}
	return nil
}

// guessedRows is how many rows are tried where the table doesn't say.
const guessedRows = 20_000

// last is the largest row number of a table.
func (s *salvager) last(ctx context.Context, table string) int64 {
	var n sql.NullInt64
	err := s.old.QueryRowContext(ctx, "SELECT max(n) FROM "+table).Scan(&n)
	if isDamage(err) {
		return guessedRows
	}
	return n.Int64 // there may be no table at all
}

// read reads a row; false where there is none or it can't be read.
func (s *salvager) read(ctx context.Context, query string, n int64, dest ...any) bool {
	err := s.old.QueryRowContext(ctx, query, n).Scan(dest...)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		s.got.unreadable++
	}
	return err == nil
}

func (s *salvager) message(ctx context.Context, n int64) error {
	var (
		id, key, sender, subject            string
		received, expires, size, keep, seal int64
		sha, envelope                       []byte
		file                                sql.NullString
	)
	if !s.read(ctx, "SELECT id, key, received_ms, expires_ms, sender, subject, size, sha256, file, envelope, keep_ms, sum FROM message WHERE n = ?", n,
		&id, &key, &received, &expires, &sender, &subject, &size, &sha, &file, &envelope, &keep, &seal) {
		return nil
	}
	c := s.q.w.conn
	var have int64
	if err := c.QueryRowContext(ctx, "SELECT n FROM message WHERE id = ?", id).Scan(&have); err == nil {
		s.rows[n] = have
		return nil
	}
	if seal != engine.SealMessage(id, key, sha, envelope) {
		s.got.unreadable++
		return nil
	}
	var body []byte
	if !file.Valid {
		if !s.read(ctx, "SELECT bytes FROM body WHERE message = ?", n, &body) || string(sha) != string(sum(body)) {
			s.got.unreadable++
			return nil
		}
	}
	err := c.QueryRowContext(ctx, `INSERT INTO message (id, key, received_ms, expires_ms, sender, subject, size, sha256, file, envelope, keep_ms, live, dead, sum)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,0,0,?) RETURNING n`, id, key, received, expires, sender, subject, size, sha, file, envelope, keep, seal).Scan(&have)
	if err == nil && !file.Valid {
		_, err = c.ExecContext(ctx, "INSERT INTO body (message, bytes) VALUES (?,?)", have, nonNil(body))
	}
	s.rows[n] = have
	s.got.messages++
	return err
}

func sum(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

func (s *salvager) delivery(ctx context.Context, n int64) error {
	var (
		id, endpoint, rcpt, reason, text           string
		message, due, expires, until, token, seal  int64
		state, from, attempts, base, status, taken int
	)
	if !s.read(ctx, `SELECT id, message, endpoint, recipients, state, leased_from, due_ms, expires_ms, attempts, base, lease_until_ms, token, reason,
		last_status, last_error, sum FROM delivery WHERE n = ?`, n,
		&id, &message, &endpoint, &rcpt, &state, &from, &due, &expires, &attempts, &base, &until, &token, &reason, &status, &text, &seal) {
		return nil
	}
	into, known := s.rows[message]
	if !known || seal != engine.SealDelivery(id, endpoint, rcpt) {
		s.got.unreadable++
		return nil
	}
	c := s.q.w.conn
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM delivery WHERE id = ?", id).Scan(&taken); err != nil || taken > 0 {
		return err
	}
	mark := 0
	switch {
	case state == engine.StateDead || state == engine.StateLeased && from == engine.StateDead:
		state = engine.StateDead
	case state == engine.StateLeased || from == 1:
		state, mark = engine.StateDue, 1 // as engine.Lapse does it
	default:
		state = engine.StateDue
	}
	if _, err := c.ExecContext(ctx, `INSERT INTO delivery (id, message, endpoint, recipients, state, leased_from, due_ms, expires_ms, attempts, base, lease_until_ms,
		token, reason, last_status, last_error, sum) VALUES (?,?,?,?,?,?,?,?,?,?,0,?,?,?,?,?)`,
		id, into, endpoint, rcpt, state, mark, due, expires, attempts, base, token+1, reason, status, text, seal); err != nil {
		return err
	}
	s.got.deliveries++
	count := "live = live + 1"
	if state == engine.StateDead {
		count = "dead = dead + 1"
	}
	_, err := c.ExecContext(ctx, "UPDATE message SET "+count+" WHERE n = ?", into)
	return err
}

// reasonDamaged is a dead letter's whose delivery couldn't be read.
const reasonDamaged = "corrupt"

// orphans makes a dead letter of each message that was taken over without any
// delivery, so that somebody sees it.
func (s *salvager) orphans(ctx context.Context) error {
	rows, err := s.q.w.conn.QueryContext(ctx, "SELECT n, id, expires_ms FROM message WHERE live = 0 AND dead = 0 AND keep_ms = 0")
	if err != nil {
		return err
	}
	type orphan struct {
		n, expires int64
		id         string
	}
	var all []orphan
	for rows.Next() {
		var o orphan
		if err := errors.Join(rows.Scan(&o.n, &o.id, &o.expires)); err != nil {
			rows.Close()
			return err
		}
		all = append(all, o)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	nobody, _ := json.Marshal([]string{})
	for _, o := range all {
		_, err := s.q.w.conn.ExecContext(ctx, `INSERT INTO delivery (id, message, endpoint, recipients, state, leased_from, due_ms, expires_ms, attempts, base, lease_until_ms,
			token, reason, last_status, last_error, sum) VALUES (?,?,'',?,2,0,0,?,0,0,0,1,?,0,'its delivery could not be read',?)`,
			"damaged-"+o.id, o.n, string(nobody), o.expires, reasonDamaged, engine.SealDelivery("damaged-"+o.id, "", string(nobody)))
		if err == nil {
			_, err = s.q.w.conn.ExecContext(ctx, "UPDATE message SET dead = dead + 1 WHERE n = ?", o.n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// table copies a small table's rows as far as they can be read.
func (s *salvager) table(ctx context.Context, table, columns string) error {
	rows, err := s.old.QueryContext(ctx, "SELECT "+columns+" FROM "+table)
	if err != nil {
		s.got.unreadable++
		return nil
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values, dest := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		dest[i] = &values[i]
	}
	marks := "?"
	for range len(names) - 1 {
		marks += ",?"
	}
	for rows.Next() {
		if rows.Scan(dest...) != nil {
			break
		}
		if _, err := s.q.w.conn.ExecContext(ctx, "INSERT INTO "+table+" ("+columns+") VALUES ("+marks+") ON CONFLICT DO NOTHING", values...); err != nil {
			return err
		}
	}
	if rows.Err() != nil {
		s.got.unreadable++
	}
	return nil
}
