// Package date reads the Date field of mail: RFC 5322's form, and what mailers
// really send beside it.
//
// Nothing here fails. A date that can't be read is the zero time and told in
// words; so is one whose time isn't understood, which is never taken for midnight,
// and one that may be two days. A zone that nobody understands is never taken for
// UTC.
package date
