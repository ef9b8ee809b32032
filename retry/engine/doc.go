// Package engine is what the queue's engines share: the values of a row, the
// filters and places of lists, the account of what is stored and reserved, and
// the checks for damage. The SQL stays in each engine.
//
// A damaged row is never delivered: its seal, a CRC-32C over where a delivery
// goes or what it carries, makes retry.Lease.Damaged, and a body that differs
// from its SHA-256 ends in retry.ErrCorrupt, never in io.EOF.
package engine
